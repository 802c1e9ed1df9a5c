"""From device to device: what a packet meets at the other end of the one that it leaves by.

Kernel: drivers/net/veth.c, drivers/net/dummy.c, net/8021q, include/linux/netdevice.h ____dev_forward_skb
"""

from dataclasses import dataclass, replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.trace import Ending, Outcome, StepKind, Verdict
from kubectl_packetpath.walk import tunnels
from kubectl_packetpath.walk.attached import beyond
from kubectl_packetpath.walk.fitting import VLAN_BYTES, wire_bytes
from kubectl_packetpath.walk.here import ended, unknown
from kubectl_packetpath.walk.place import Place, assumed, with_packet
from kubectl_packetpath.walk.segment import SHARING, Station, bridge_of, meet, peer_of, sharers, wire_of
from kubectl_packetpath.walk.sharing import is_for
from kubectl_packetpath.walk.tables import tables_of

SWITCH = "openvswitch"
SWALLOWING = {"dummy", "nlmon", "blackhole"}
WIRES = {"", "bond", "bridge", "dsa", "ipoib", "team", "veth"}
"""Kinds of devices that only pass frames on; hardware has none. Whatever other kind there is does more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Where the packet turns up; without state and link it has left the node."""

    outcome: Outcome
    state: NamespaceState | None = None
    link: Link | None = None
    left_by: Link | None = None
    """The device by which it left the node, where that is another one than it was given to."""


def cross(place: Place, outcome: Outcome, device: Link) -> Crossing:
    """Send the packet out by this device."""
    if not device.is_up:
        return _lost(outcome, Verdict.DROPPED, f"{device.name} is down")
    if device.kind in tunnels.NOT_MODELLED:
        place_text = f"{place.node.name} {device.kind} device {device.name}: not modelled yet"
        return Crossing(outcome=unknown(outcome, place_text))
    if device.kind in SWALLOWING:
        return _lost(
            outcome, Verdict.DROPPED, f"{device.name} is a {device.kind} device: nothing leaves by it"
        )
    if device.kind == "netkit" or (device.kind == "ipvlan" and device.mode != "l2"):
        place_text = f"{place.node.name} {device.kind} device {device.name}: not modelled yet"
        return Crossing(outcome=unknown(outcome, place_text))
    if device.kind == "vlan":
        return _vlan(place, outcome, device)
    if device.kind in SHARING:
        return _shared(place, outcome, device)
    if device.kind not in WIRES:
        return Crossing(outcome=unknown(outcome, not_modelled(place, device)))
    end = peer_of(place.node, place.state, device)
    if end is None or end.state is None:
        return Crossing(outcome=outcome)
    return _arrive(place, outcome, end)


def not_modelled(place: Place, device: Link) -> str:
    """Who decides about what such a device is given."""
    name = f"{place.node.name} {device.name}"
    if device.kind == SWITCH:
        return f"{name}: the flows of Open vSwitch decide, which are not modelled"
    return f"{name}: what a device of kind {device.kind} does is not modelled"


def _lost(outcome: Outcome, verdict: Verdict, reason: str) -> Crossing:
    ending = Ending(verdict=verdict, reason=reason)
    return Crossing(outcome=ended(outcome, ending, kind=StepKind.DROPPED))


def _arrive(place: Place, outcome: Outcome, end: Station) -> Crossing:
    length = wire_bytes(outcome.packet)
    if end.link.mtu and length > end.link.mtu + VLAN_BYTES:
        reason = f"{length} bytes do not fit into the {end.link.mtu} of {end.link.name}, and nobody is told"
        return Crossing(outcome=ended(outcome, Ending(verdict=Verdict.TOO_BIG, reason=reason)))
    same = end.state is not None and end.state.identity == place.state.identity
    packet = scrubbed(outcome.packet, keep_mark=same)
    return Crossing(outcome=with_packet(outcome, packet), state=end.state, link=end.link)


def scrubbed(packet: Packet, *, keep_mark: bool) -> Packet:
    """What a packet leaves behind when it crosses into another namespace."""
    mark = packet.mark if keep_mark else 0
    inner = scrubbed(packet.inner, keep_mark=False) if packet.inner is not None else None
    return replace(
        packet,
        connection=None,
        balanced=None,
        mark=mark,
        priority=0,
        uid=None,
        gid=None,
        decrypted=False,
        inner=inner,
    )


def _shared(place: Place, outcome: Outcome, device: Link) -> Crossing:
    """To another device of the same wire if the two meet, else out of the wire.

    The host whose wire it is never takes such a frame: pods on macvlan or ipvlan do not reach their own node.
    """
    lower = wire_of(place.node, place.state, device)
    if lower is None or lower.state is None or lower.link.kind == "bridge":
        place_text = f"{place.node.name} {device.kind} device {device.name}: what it sits on is out of sight"
        return Crossing(outcome=unknown(outcome, place_text))
    if not lower.link.is_up:
        reason = f"{lower.link.name}, whose wire {device.name} shares, is down"
        return _lost(outcome, Verdict.DROPPED, reason)
    for other in sharers(place.node, lower.state, lower.link):
        if meet(device, other.link) and is_for(outcome.packet, other):
            return _arrive(place, outcome, other)
    crossing = cross(replace(place, state=lower.state), outcome, lower.link)
    return replace(crossing, left_by=crossing.left_by or lower.link)


def _vlan(place: Place, outcome: Outcome, device: Link) -> Crossing:
    """Tagged by its lower device; the other end takes it by its own VLAN device of the same number."""
    lower = tables_of(place.state).links.get(device.link or 0)
    if lower is None or device.link_netnsid is not None:
        place_text = f"{place.node.name} VLAN device {device.name}: its lower device is out of sight"
        return Crossing(outcome=unknown(outcome, place_text))
    end = peer_of(place.node, place.state, lower)
    if end is None or end.state is None:
        return Crossing(outcome=outcome)
    if bridge_of(end.state, end.link) is not None:
        place_text = f"{place.node.name} VLAN {device.vlan_id} on {lower.name}: a tagged frame in a bridge"
        return Crossing(outcome=unknown(outcome, f"{place_text} is not modelled"))
    for link in tables_of(end.state).links.values():
        if (link.kind, link.link, link.vlan_id) == ("vlan", end.link.index, device.vlan_id):
            for text in beyond(place.node, end.state, end.link, incoming=True):
                outcome = assumed(outcome, text)
            return _arrive(place, outcome, Station(state=end.state, link=link))
    return _lost(outcome, Verdict.DROPPED, f"nobody takes VLAN {device.vlan_id} behind {lower.name}")
