"""Geneve devices: frames in UDP packets to one fixed peer.

Open vSwitch and Cilium drive theirs from programs, packet by packet; those end UNKNOWN.

Kernel: drivers/net/geneve.c geneve_xmit_skb, geneve_lookup, geneve_rx
"""

from collections.abc import Iterator

from kubectl_packetpath.packet import UDP, Packet
from kubectl_packetpath.snapshot.links import Link, Tunnel
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.trace import Fact, Outcome
from kubectl_packetpath.walk.here import unknown
from kubectl_packetpath.walk.place import Departure, Place
from kubectl_packetpath.walk.settings import default_ttl
from kubectl_packetpath.walk.tables import tables_of
from kubectl_packetpath.walk.tunnels.headers import (
    ETHERNET_BYTES,
    UDP_BYTES,
    ip_bytes,
    outer_tos,
    source_port,
    uncut,
)
from kubectl_packetpath.walk.tunnels.wrapping import Wrapping, lost, unwrapped

GENEVE_BYTES = 8
"""Without options, which only programs set."""


def wrap(place: Place, departure: Departure, device: Link) -> Iterator[Wrapping]:
    """Send the frame to the peer."""
    outcome, settings = departure.outcome, device.tunnel
    if settings is None or settings.collect_metadata or settings.remote is None:
        text = f"{place.node.name} {device.name}: a Geneve device in external mode is driven by routes or programs"
        yield Wrapping(outcome=unknown(outcome, f"{text}, which is not modelled"), tunnel=device)
        return
    inner, family = outcome.packet, settings.remote.version
    outer = Packet(
        source=type(settings.remote)(0),
        destination=settings.remote,
        protocol=UDP,
        sport=source_port(place.state, None),
        sport_chosen=True,
        dport=settings.port,
        ttl=settings.ttl or default_ttl(place.state, family),
        tos=outer_tos(settings.tos, inner),
        size_bytes=inner.size_bytes + ETHERNET_BYTES + GENEVE_BYTES + UDP_BYTES + ip_bytes(family),
        dont_fragment=uncut(settings.df, inner),
        mark=inner.mark,
        priority=inner.priority,
        uid=inner.uid,
        gid=inner.gid,
        inner=inner,
        encapsulation="geneve",
        vni=settings.key,
    )
    yield Wrapping(outcome=outcome, tunnel=device, outer=outer, because=(link_fact(place, device),))


def unwrap(place: Place, outcome: Outcome) -> Departure:
    """Give the frame to the device of this peer and network identifier."""
    outer, inner = outcome.packet, outcome.packet.inner
    listening = [link for link in _devices(place.state, outer) if link.is_up]
    facts = tuple(link_fact(place, link) for link in listening)
    if inner is None or not listening:
        reason = f"no Geneve device listens on UDP port {outer.dport} of {place.node.name}"
        return Departure(outcome=lost(outcome, reason, remedy="ip -d link show type geneve"))
    if any(_settings(link).collect_metadata for link in listening):
        text = f"{place.node.name} {listening[0].name}: a Geneve device in external mode is not modelled"
        return Departure(outcome=unknown(outcome, text, facts))
    for link in listening:
        if (_settings(link).key, _settings(link).remote) != (outer.vni, outer.source):
            continue
        if link.mac and inner.source_mac == link.mac:
            reason = f"the frame has the link address of {link.name} itself as its source, which is taken for a loop"
            return Departure(outcome=lost(outcome, reason, (link_fact(place, link),)))
        return unwrapped(outcome, link, (link_fact(place, link),))
    others = ", ".join(
        f"{link.name} has {_settings(link).key} of {_settings(link).remote}" for link in listening
    )
    reason = f"no Geneve device of {place.node.name} takes VNI {outer.vni} from {outer.source} ({others})"
    return Departure(outcome=lost(outcome, reason, facts))


def _settings(link: Link) -> Tunnel:
    if link.tunnel is None:
        raise ValueError(f"{link.name} is no tunnel")
    return link.tunnel


def _devices(state: NamespaceState, outer: Packet) -> list[Link]:
    return [
        link
        for link in tables_of(state).links.values()
        if link.kind == "geneve"
        and link.tunnel is not None
        and link.tunnel.port == outer.dport
        and (link.tunnel.remote is None or link.tunnel.remote.version == outer.family)
    ]


def link_fact(place: Place, device: Link) -> Fact:
    """The device much as `ip -d link` prints it."""
    settings = _settings(device)
    state = "UP" if device.is_up else "DOWN"
    text = f"{device.name} mtu {device.mtu} {state} geneve id {settings.key} remote {settings.remote}"
    return Fact(
        section="link", key=f"{place.node.name} link {device.name}", text=f"{text} dstport {settings.port}"
    )
