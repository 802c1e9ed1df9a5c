"""Pods that a veth of their own joins to the node, behind a gateway that no device has: 169.254.1.1.

The AWS VPC CNI, Azure's CNI in transparent mode and Calico lay their pods' wires so.
"""

import hashlib
import json

from kernel.lab import Lab

from testbed.netns import succeed

GATEWAY = "169.254.1.1"


def digest_of(pod: str, namespace: str = "default") -> str:
    """What the names of such veths end in: it is the same for all three."""
    return hashlib.sha1(f"{namespace}.{pod}".encode(), usedforsecurity=False).hexdigest()[:11]


def load_sets(made: Lab, name: str, lines: str) -> None:
    """Load sets by `ipset restore`."""
    succeed([*made[name].enter, "ipset", "restore", "-exist"], stdin=lines)


def mac_of(made: Lab, name: str, device: str) -> str:
    """A device's link address."""
    (row,) = json.loads(succeed([*made[name].enter, "ip", "-j", "link", "show", "dev", device]))
    return str(row["address"])


def join(made: Lab, host: str, pod: str, device: str, address: str, *, neighbour: bool = True) -> None:
    """A pod's veth, its routes, the node's route to it, and the gateway's link address if it is given to the pod."""
    made.connect((host, device), (pod, "eth0"))
    made[pod].ip(
        f"addr add {address}/32 dev eth0",
        f"route add {GATEWAY} dev eth0 scope link",
        f"route add default via {GATEWAY} dev eth0",
    )
    if neighbour:
        made[pod].ip(f"neigh add {GATEWAY} lladdr {mac_of(made, host, device)} dev eth0 nud permanent")
    made[host].ip(f"route add {address}/32 dev {device} scope link")


def speak_for_others(made: Lab, name: str, device: str) -> None:
    """Proxy ARP on a device, without the random delay of up to 0.8 seconds that the kernel has for it."""
    made[name].sysctls({f"net/ipv4/conf/{device}/proxy_arp": 1, f"net/ipv4/neigh/{device}/proxy_delay": 0})
