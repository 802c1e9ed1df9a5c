"""Devices that wrap a packet into another one: the outer packet is this host's own and walks its rules again.

One file for each kind, listed in `KINDS`: `wrap` names the outer packets, `unwrap` gives the inner one to the device
that takes it on the other side.

Kernel: drivers/net/vxlan, drivers/net/geneve.c, net/ipv4/ipip.c, ip_gre.c, drivers/net/wireguard
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.trace import Outcome
from kubectl_packetpath.walk.here import unknown
from kubectl_packetpath.walk.place import Departure, Place
from kubectl_packetpath.walk.tunnels import geneve, ip, ip_arrival, length, vxlan, wireguard
from kubectl_packetpath.walk.tunnels.wrapping import Wrapping, noted_wrapping

__all__ = [
    "KINDS",
    "NOT_MODELLED",
    "Wrapping",
    "noted_wrapping",
    "refused",
    "turn_back",
    "turns_back",
    "unwrap",
    "wrap",
    "wraps",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of tunnel device, by what it does."""

    wrap: Callable[[Place, Departure, Link], Iterator[Wrapping]]
    unwrap: Callable[[Place, Outcome], Departure]
    turn_back: Callable[[Place, Wrapping, Packet], Departure] | None = None
    """What it does where the outer destination is an address of this host itself; None: the outer packet goes by
    loopback."""


KINDS: Mapping[str, Kind] = {
    "geneve": Kind(wrap=geneve.wrap, unwrap=geneve.unwrap),
    "vxlan": Kind(wrap=vxlan.wrap, unwrap=vxlan.unwrap, turn_back=vxlan.turn_back),
    "wireguard": Kind(wrap=wireguard.wrap, unwrap=wireguard.unwrap),
    **{kind: Kind(wrap=ip.wrap, unwrap=ip_arrival.unwrap) for kind in ip.SHAPES},
}
NOT_MODELLED = frozenset(
    {
        "bareudp",
        "erspan",
        "macsec",
        "tap",
        "tun",
        "vti",
        "vti6",
        "xfrm",
    }
)
"""Devices that wrap packets, or hand them to a program, in ways that the walk does not know."""


def wraps(device: Link) -> bool:
    """Whether the device makes another packet of the one that it is given."""
    return device.kind in KINDS


def wrap(place: Place, departure: Departure, device: Link) -> Iterator[Wrapping]:
    """The outer packets that this device makes, one for each way that it may choose."""
    if device.link_netnsid is not None:
        text = f"{place.node.name} {device.name}: its packets leave by another network namespace, not modelled yet"
        yield Wrapping(outcome=unknown(departure.outcome, text), tunnel=device)
        return
    yield from KINDS[device.kind].wrap(place, departure, device)


def unwrap(place: Place, outcome: Outcome) -> Departure:
    """A packet that carries another one has come to an address of this host."""
    kind = KINDS.get(outcome.packet.encapsulation)
    if kind is None:
        text = f"{place.node.name}: {outcome.packet.wrapping} is not modelled"
        return Departure(outcome=unknown(outcome, text))
    return kind.unwrap(place, outcome)


def refused(place: Place, wrapping: Wrapping, outer: Packet, limit: int) -> Outcome | None:
    """The end of a packet that the tunnel does not wrap, since the outer one would not fit on its way."""
    if not limit or outer.size_bytes <= limit:
        return None
    return length.refused(place, wrapping, outer, limit)


def turns_back(device: Link) -> bool:
    """Whether the device gives what is for this very host straight to the tunnel at the other end."""
    return KINDS[device.kind].turn_back is not None


def turn_back(place: Place, wrapping: Wrapping, outer: Packet) -> Departure:
    """What the outer packet of this tunnel becomes where it is for an address of the very host that made it."""
    back = KINDS[outer.encapsulation].turn_back
    if back is None:
        raise ValueError(f"{outer.encapsulation} has no short cut")
    return back(place, wrapping, outer)
