"""Devices that wrap a packet into another one: where a walk enters them.

None of them is modelled yet: a packet that leaves by one ends UNKNOWN at its place. To model a kind, give it a
function in `KINDS` that yields the outer packet as a departure; on the way in, `explore` asks the same table.

Kernel: drivers/net/vxlan, drivers/net/geneve.c, net/ipv4/ipip.c, ip_gre.c, drivers/net/wireguard
"""

from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.trace import Outcome
from kubectl_packetpath.walk.here import unknown
from kubectl_packetpath.walk.place import Place

KINDS = frozenset(
    {
        "vxlan",
        "geneve",
        "ipip",
        "sit",
        "gre",
        "gretap",
        "erspan",
        "ip6tnl",
        "ip6gre",
        "ip6gretap",
        "wireguard",
        "tun",
        "tap",
        "xfrm",
        "vti",
        "vti6",
        "bareudp",
        "macsec",
    }
)


def is_tunnel(device: Link) -> bool:
    """Whether the device wraps packets, or hands them to a program."""
    return device.kind in KINDS


def encapsulate(place: Place, outcome: Outcome, device: Link) -> Outcome:
    """Wrap the packet."""
    return unknown(outcome, f"{place.node.name} {device.kind} device {device.name}: not modelled yet")
