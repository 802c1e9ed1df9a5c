"""Two nodes whose pods are ports of a bridge, and what is outside: the shape of kube-router's and Weave's networks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from kernel.lab import Lab, lab
from kernel.networks.pods import digest_of

OUTSIDE = "192.168.9.9"
NODE, OTHER = "192.168.9.1", "192.168.9.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What differs between two such networks."""

    bridge: str
    gateway: str
    """The bridge's address, with its length."""
    pods: Mapping[str, str]
    """On this node: name and address."""
    prefix: str
    """Of the host's ends of the pods' veths; the rest is of the container's id."""
    far: str = "10.1.9.2"
    """A pod of the other node."""
    to_far: str = ""
    """How the node knows the other one's pods."""

    def device(self, pod: str) -> str:
        """The host's end of a pod's veth."""
        return f"{self.prefix}{digest_of(pod)}"[:15]


@contextmanager
def bridged(name: str, shape: Shape) -> Iterator[Lab]:
    """The node `host-NAME`, its pods, the pod `far` of another node, and `outside`."""
    host = f"host-{name}"
    with lab(name) as made:
        made.add(host, *shape.pods, "wire", "other", "far", "outside")
        made[host].sysctls({"net/ipv4/igmp_link_local_mcast_reports": 0})
        made["wire"].ip("link add br0 type bridge", "link set br0 up")
        for each, address in ((host, NODE), ("other", OTHER), ("outside", OUTSIDE)):
            made.connect((each, "eth0"), ("wire", each))
            made["wire"].ip(f"link set {each} master br0")
            made[each].ip(f"addr add {address}/24 dev eth0")
        _lay_bridge(made, host, shape.bridge, shape.gateway)
        for pod, address in shape.pods.items():
            device = shape.device(pod)
            made.connect((host, device), (pod, "eth0"))
            made[host].ip(f"link set {device} master {shape.bridge}")
            length, gateway = shape.gateway.split("/")[1], shape.gateway.split("/")[0]
            made[pod].ip(f"addr add {address}/{length} dev eth0", f"route add default via {gateway}")
        _add_far(made, shape)
        yield made


def _lay_bridge(made: Lab, name: str, bridge: str, address: str) -> None:
    made[name].ip(
        f"link add {bridge} type bridge", f"addr add {address} dev {bridge}", f"link set {bridge} up"
    )
    made[name].sysctls({"net/ipv4/ip_forward": 1, "net/bridge/bridge-nf-call-iptables": 1})


def _add_far(made: Lab, shape: Shape) -> None:
    made.connect(("other", "far"), ("far", "eth0"))
    made["other"].ip("addr add 10.1.9.1/24 dev far")
    made["other"].sysctls({"net/ipv4/ip_forward": 1})
    made["far"].ip(f"addr add {shape.far}/24 dev eth0", "route add default via 10.1.9.1")
    if shape.to_far:
        host = next(iter(made.namespaces))
        made[host].ip(shape.to_far)
        made["other"].ip(*(f"route add {each}/32 via {NODE}" for each in shape.pods.values()))
