"""The link address of the next hop: from the neighbour table, or from whoever would answer the question.

An entry that is missing or stale is made anew on demand, so what counts is who is there to answer.

Kernel: net/core/neighbour.c, net/ipv4/arp.c arp_constructor, net/ipv6/ndisc.c ndisc_constructor
"""

from dataclasses import dataclass

from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.links import IFF_NOARP, Link
from kubectl_packetpath.snapshot.routing import (
    NTF_PROXY,
    NUD_FAILED,
    NUD_INCOMPLETE,
    NUD_NOARP,
    NUD_PERMANENT,
    NUD_REACHABLE,
    Neighbour,
)
from kubectl_packetpath.snapshot.state import NamespaceState, NodeState
from kubectl_packetpath.trace import Ending, Fact
from kubectl_packetpath.walk.arp import answers
from kubectl_packetpath.walk.asking import Asker, unheeded
from kubectl_packetpath.walk.segment import Station, hearers, sharers

STATES = {
    NUD_INCOMPLETE: "INCOMPLETE",
    NUD_REACHABLE: "REACHABLE",
    0x04: "STALE",
    0x08: "DELAY",
    0x10: "PROBE",
    NUD_FAILED: "FAILED",
    NUD_NOARP: "NOARP",
    NUD_PERMANENT: "PERMANENT",
}
UNRESOLVED = NUD_INCOMPLETE | NUD_FAILED
ADDRESSLESS_KINDS = {
    "ipip",
    "sit",
    "gre",
    "ip6tnl",
    "ip6gre",
    "wireguard",
    "tun",
    "xfrm",
    "vti",
    "vti6",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What is known of the next hop's link address."""

    mac: str = ""
    """Empty: the device needs none, or somebody out of sight would answer."""
    reached: bool = True
    """False: nobody would answer."""
    seen: bool = True
    """False: whoever would answer is out of sight."""
    because: tuple[Fact, ...] = ()
    deaf: Ending | None = None
    """Why the one who has the address does not heed the question."""


def resolve(
    node: NodeState, state: NamespaceState, device: Link, address: Address, source: Address
) -> Resolution:
    """Find the link address for a next hop on this device, for a packet with this source."""
    if device.is_loopback or device.kind in ADDRESSLESS_KINDS:
        return Resolution()
    entry = _entry(state, device, address)
    facts = (entry_fact(node.name, device, entry),) if entry is not None else ()
    if device.flags & IFF_NOARP:
        return Resolution(mac=_usable_mac(entry) or _presumed(device), because=facts)
    fixed = NUD_PERMANENT | NUD_NOARP
    if (
        entry is not None
        and entry.mac
        and entry.state & ~UNRESOLVED
        and entry.state & (fixed | NUD_REACHABLE)
    ):
        return Resolution(mac=entry.mac, because=facts)
    stations = list(hearers(node, state, device))
    asker = Asker(state=state, device=device, source=source)
    for station in stations:
        if station.state is not None and answers(station.state, station.link, address, asker):
            deaf = unheeded(node.name, asker, station, address)
            if deaf is not None and not _usable_mac(entry):
                return Resolution(reached=False, because=(*facts, *deaf.because), deaf=deaf.ending)
            return Resolution(mac=_usable_mac(entry) or station.link.mac, because=facts)
    taker = _sharing(node, stations, asker, address)
    if taker is not None:
        return Resolution(mac=_usable_mac(entry) or taker.link.mac, because=facts)
    if _usable_mac(entry):
        return Resolution(mac=_usable_mac(entry), because=facts)
    failed = entry is not None and entry.state & NUD_FAILED
    if not failed and any(station.state is None for station in stations):
        return Resolution(seen=False, because=facts)
    return Resolution(reached=False, because=facts)


def _presumed(device: Link) -> str:
    """The link address of every neighbour of a device that asks for none: its own, unless a program sees to it."""
    return "" if device.has_tc_programs else device.mac


def _sharing(node: NodeState, stations: list[Station], asker: Asker, address: Address) -> Station | None:
    """Who answers among the devices that share the wire of one who does not."""
    for station in stations:
        if station.state is None or not station.state.is_host:
            continue
        for other in sharers(node, station.state, station.link):
            if other.state is None or not other.link.is_up:
                continue
            if answers(other.state, other.link, address, asker):
                return other
    return None


def _usable_mac(entry: Neighbour | None) -> str:
    return entry.mac if entry is not None and not entry.state & UNRESOLVED else ""


def _entry(state: NamespaceState, device: Link, address: Address) -> Neighbour | None:
    neighbours = state.neighbours()
    if isinstance(neighbours, Absent):
        return None
    return next(
        (
            entry
            for entry in neighbours
            if entry.link == device.index and entry.address == address and not entry.flags & NTF_PROXY
        ),
        None,
    )


def entry_fact(node: str, device: Link, entry: Neighbour) -> Fact:
    """The entry as `ip neigh` prints it."""
    states = "|".join(name for bit, name in STATES.items() if entry.state & bit) or "NONE"
    mac = f" lladdr {entry.mac}" if entry.mac else ""
    text = f"{entry.address} dev {device.name}{mac} {states}"
    return Fact(section="neighbour", key=f"{node} neigh {entry.address} dev {device.name}", text=text)


def stations_with_mac(stations: list[Station], mac: str) -> list[Station]:
    """Those that take a frame for this link address."""
    return [station for station in stations if station.state is not None and station.link.mac == mac]
