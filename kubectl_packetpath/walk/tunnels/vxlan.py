"""VXLAN devices: frames in UDP packets, to the host that the forwarding database names for their link address.

flannel and Calico write one entry for each node; what is missing or wrong there loses all packets to that node.

Kernel: drivers/net/vxlan/vxlan_core.c vxlan_xmit, vxlan_xmit_one, vxlan_rcv
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from ipaddress import IPv4Address

from kubectl_packetpath.packet import UDP, Address, Packet
from kubectl_packetpath.snapshot.links import Link, Vxlan
from kubectl_packetpath.snapshot.routing import NUD_NOARP, NUD_PERMANENT, ForwardingEntry
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.trace import Fact, Outcome
from kubectl_packetpath.walk.here import scaled, unknown
from kubectl_packetpath.walk.place import Departure, Place, with_packet
from kubectl_packetpath.walk.settings import default_ttl
from kubectl_packetpath.walk.tables import rows, tables_of
from kubectl_packetpath.walk.tunnels.fdb import EVERYONE, entries_for, entry_fact
from kubectl_packetpath.walk.tunnels.headers import (
    ETHERNET_BYTES,
    UDP_BYTES,
    ip_bytes,
    outer_tos,
    source_port,
    uncut,
)
from kubectl_packetpath.walk.tunnels.wrapping import Wrapping, lost, unwrapped

VXLAN_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """Where a frame is sent."""

    address: Address
    port: int
    vni: int
    underlay: int | None
    """Named by the entry itself; the device that the tunnel was made on counts for its first entry only."""
    fact: Fact
    weight: Fraction = Fraction(1)


def wrap(place: Place, departure: Departure, device: Link) -> Iterator[Wrapping]:
    """Send the frame to whom the forwarding database names."""
    outcome, settings = departure.outcome, device.vxlan
    name = f"{place.node.name} {device.name}"
    if settings is None or settings.collect_metadata:
        text = (
            f"{name}: a VXLAN device in external mode is driven by routes or programs, which is not modelled"
        )
        yield Wrapping(outcome=unknown(outcome, text), tunnel=device)
        return
    mac = outcome.packet.destination_mac
    entries = entries_for(place.state, device, mac)
    targets = [target for entry in entries for target in _targets(place, device, settings, entry)]
    if not targets:
        yield Wrapping(outcome=_nobody(place, outcome, device, mac), tunnel=device)
    elif doubt := _doubt(targets, mac, known=bool(entries and entries[0].mac != EVERYONE)):
        facts = tuple(target.fact for target in targets)
        yield Wrapping(outcome=unknown(outcome, f"{name}: {doubt}", facts), tunnel=device)
    else:
        for target in targets:
            branch = replace(outcome, weight=scaled(outcome.weight, target.weight))
            yield _wrapping(place, branch, device, target)


def _doubt(targets: list[_Target], mac: str, *, known: bool) -> str:
    """Why it cannot be said who takes the frame."""
    if any(target.address.is_multicast for target in targets):
        return f"the frame is flooded to the group {targets[0].address}: who hears it is not to be seen"
    if len(targets) > 1 and not known:
        return f"the frame for {mac or 'an unknown address'} is flooded to {len(targets)} hosts"
    return ""


def _targets(place: Place, device: Link, settings: Vxlan, entry: ForwardingEntry) -> Iterator[_Target]:
    fact = entry_fact(place.node.name, device, entry)
    base = _Target(
        address=entry.destination or settings.remote or IPv4Address(0),
        port=entry.port or settings.port,
        vni=entry.vni or settings.vni,
        underlay=entry.underlay,
        fact=fact,
    )
    if entry.nexthop_id is None:
        if not base.address.is_unspecified:
            yield base
        return
    objects = {each.id: each for each in rows(place.state.nexthops(), "nexthops")}
    chosen = objects.get(entry.nexthop_id)
    members = chosen.group if chosen is not None and chosen.group else ((entry.nexthop_id, 1),)
    total = sum(weight for _, weight in members)
    for identity, weight in members:
        member = objects.get(identity)
        gateway = member.hop.gateway if member is not None and member.hop is not None else None
        if gateway is not None:
            yield replace(base, address=gateway, weight=Fraction(weight, total))


def _nobody(place: Place, outcome: Outcome, device: Link, mac: str) -> Outcome:
    reason = f"the forwarding database of {device.name} has no entry for {mac or 'the next hop'}, so nothing is sent"
    key = f"{place.node.name} fdb dev {device.name}"
    fact = Fact(section="fdb", key=key, text=f"no entry for {mac} dev {device.name}")
    return lost(outcome, reason, (fact,), remedy=f"bridge fdb show dev {device.name}")


def _wrapping(place: Place, outcome: Outcome, device: Link, target: _Target) -> Wrapping:
    settings, inner = device.vxlan, outcome.packet
    if settings is None:
        raise ValueError(f"{device.name} is no VXLAN device")
    source = settings.local
    if source is None or source.version != target.address.version:
        source = type(target.address)(0)
    outer = Packet(
        source=source,
        destination=target.address,
        protocol=UDP,
        sport=source_port(place.state, settings.port_range),
        sport_chosen=True,
        dport=target.port,
        ttl=settings.ttl or default_ttl(place.state, target.address.version),
        tos=outer_tos(settings.tos, inner),
        size_bytes=inner.size_bytes
        + ETHERNET_BYTES
        + VXLAN_BYTES
        + UDP_BYTES
        + ip_bytes(target.address.version),
        dont_fragment=uncut(settings.df, inner),
        mark=inner.mark,
        priority=inner.priority,
        uid=inner.uid,
        gid=inner.gid,
        inner=inner,
        encapsulation="vxlan",
        vni=target.vni,
    )
    bound_to = tables_of(place.state).links.get(target.underlay or 0)
    return Wrapping(outcome=outcome, tunnel=device, outer=outer, bound_to=bound_to, because=(target.fact,))


def unwrap(place: Place, outcome: Outcome) -> Departure:
    """Give the frame to the device of its network identifier, if the UDP port is a VXLAN device's."""
    outer, inner = outcome.packet, outcome.packet.inner
    listening = [link for link in _devices(place.state, outer) if link.is_up]
    if inner is None or not listening:
        return Departure(outcome=_closed(place, outcome))
    device = next((link for link in listening if _vxlan(link).vni == outer.vni), None)
    if device is None:
        others = ", ".join(f"{link.name} has {_vxlan(link).vni}" for link in listening)
        reason = (
            f"no VXLAN device on UDP port {outer.dport} of {place.node.name} has VNI {outer.vni} ({others})"
        )
        return Departure(outcome=lost(outcome, reason, tuple(link_fact(place, link) for link in listening)))
    if any(_vxlan(link).collect_metadata for link in listening):
        text = f"{place.node.name} {device.name}: a VXLAN device in external mode is not modelled"
        return Departure(outcome=unknown(outcome, text))
    refused = _refused(place, outcome, device)
    if refused is not None:
        return Departure(outcome=refused)
    return unwrapped(outcome, device, (link_fact(place, device),))


def turn_back(place: Place, wrapping: Wrapping, outer: Packet) -> Departure:
    """The frame is for an address of this very host: it comes in by the device of that network, unwrapped."""
    outcome = wrapping.outcome
    for device in _devices(place.state, outer):
        if device.is_up and _vxlan(device).vni == outer.vni:
            packet = replace(outcome.packet, connection=None, source_mac="", destination_mac="")
            return Departure(outcome=with_packet(outcome, packet), device=device, comes_in=True)
    reason = f"{outer.destination} is an address of this host, and no VXLAN device here has VNI {outer.vni}"
    return Departure(outcome=lost(outcome, reason, wrapping.because))


def _vxlan(link: Link) -> Vxlan:
    if link.vxlan is None:
        raise ValueError(f"{link.name} is no VXLAN device")
    return link.vxlan


def _devices(state: NamespaceState, outer: Packet) -> list[Link]:
    """The VXLAN devices whose socket takes the packet."""
    return [
        link
        for link in tables_of(state).links.values()
        if link.vxlan is not None and link.vxlan.port == outer.dport and outer.family in _families(link.vxlan)
    ]


def _families(settings: Vxlan) -> set[int]:
    if settings.collect_metadata:
        return {4, 6}
    named = {each.version for each in (settings.remote, settings.local) if each is not None}
    return {6} if 6 in named else {4}


def _closed(place: Place, outcome: Outcome) -> Outcome:
    outer = outcome.packet
    down = [link for link in _devices(place.state, outer) if not link.is_up]
    why = f"{down[0].name} is down" if down else "there is no such device"
    reason = f"no VXLAN device listens on UDP port {outer.dport} of {place.node.name}: {why}"
    facts = tuple(link_fact(place, link) for link in down)
    return lost(outcome, reason, facts, remedy="ip -d link show type vxlan")


def _refused(place: Place, outcome: Outcome, device: Link) -> Outcome | None:
    """Frames that a device of the right network does not take."""
    outer, inner = outcome.packet, outcome.packet.inner
    if inner is None:
        return None
    if device.mac and inner.source_mac == device.mac:
        reason = (
            f"the frame has the link address of {device.name} itself as its source, which is taken for a loop"
        )
        return lost(outcome, reason, (link_fact(place, device),))
    if not _vxlan(device).learning:
        return None
    for entry in entries_for(place.state, device, inner.source_mac):
        fixed = entry.state & (NUD_PERMANENT | NUD_NOARP)
        if entry.mac == inner.source_mac and fixed and entry.destination not in {None, outer.source}:
            reason = (
                f"{device.name} learns addresses, and a permanent entry says that {inner.source_mac} is behind "
                f"{entry.destination}, not {outer.source}"
            )
            return lost(outcome, reason, (entry_fact(place.node.name, device, entry),))
    return None


def link_fact(place: Place, device: Link) -> Fact:
    """The device much as `ip -d link` prints it."""
    settings = _vxlan(device)
    words = [device.name, f"mtu {device.mtu}", "UP" if device.is_up else "DOWN", f"vxlan id {settings.vni}"]
    words += [f"remote {settings.remote}"] if settings.remote is not None else []
    words += [f"local {settings.local}"] if settings.local is not None else []
    words += [f"dstport {settings.port}", "learning" if settings.learning else "nolearning"]
    return Fact(section="link", key=f"{place.node.name} link {device.name}", text=" ".join(words))
