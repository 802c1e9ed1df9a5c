"""Whether a packet fits through a device, and who hears of it if it does not.

A router that drops a packet because it is too long says so to its sender (ICMP), who then sends shorter ones; a bridge
and the far end of a wire drop it without a word. If the message is lost too, long packets vanish for ever.

Kernel: net/ipv4/ip_forward.c ip_exceeds_mtu, ip_output.c ip_fragment, net/ipv6/ip6_output.c, net/core/dev.c __is_skb_forwardable
"""

from dataclasses import replace
from enum import Enum

from kubectl_packetpath.packet import ICMP, ICMPV6, Packet
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.trace import Ending, Outcome, Step, StepKind, Verdict
from kubectl_packetpath.walk.here import ended
from kubectl_packetpath.walk.place import noted, with_packet
from kubectl_packetpath.walk.routing import Way

UNREACHABLE, FRAGMENTATION_NEEDED, PACKET_TOO_BIG = 3, 4, 2
MESSAGE_BYTES = 576
VLAN_BYTES = 4
"""What bridges and veths let pass beyond the MTU: the room of a VLAN tag, whether there is one or not."""


class Sender(Enum):
    """Who puts the packet on the device."""

    HOST = "its own host"
    ROUTER = "a router"
    BRIDGE = "a bridge"


def limit_of(way: Way | None, device: Link) -> int:
    """The longest packet that goes this way; 0 if that is not known."""
    route = way.route if way is not None else None
    if route is not None and route.mtu:
        return min(route.mtu, device.mtu) if device.mtu else route.mtu
    return device.mtu


def fitted(
    outcome: Outcome, way: Way | None, device: Link, sender: Sender, *, learns: bool = False
) -> Outcome:
    """The packet as it goes on: whole, in pieces, or not at all.

    The host remembers how long a packet a tunnel can take, for packets of its own; with `learns`
    (`ip_forward_use_pmtu`) also for those that it only passes on, else they are lost for ever.
    """
    packet, limit = outcome.packet, limit_of(way, device)
    slack = VLAN_BYTES if sender is Sender.BRIDGE else 0
    if not limit or wire_bytes(packet) <= limit + slack:
        return outcome
    length = f"{wire_bytes(packet)} bytes do not fit into the {limit} of {device.name}"
    if sender is Sender.BRIDGE:
        return too_big(outcome, f"{length}: the bridge drops it, and nobody is told")
    if packet.family == 4 and not packet.dont_fragment:
        step = Step(kind=StepKind.FRAGMENTED, text=f"{length}: it is sent in pieces")
        return with_packet(noted(outcome, step), replace(packet, piece_bytes=limit))
    if sender is Sender.ROUTER:
        return too_big(outcome, f"{length}, and may not be cut", told(packet, limit))
    if packet.inner is None:
        return too_big(outcome, f"{length}, and may not be cut: the sender's own host refuses it")
    if packet.innermost.uid is not None or learns:
        message = told(packet.inner, limit - packet.size_bytes + packet.inner.size_bytes)
        return too_big(outcome, f"{length}, and the outer packet may not be cut", message)
    return too_big(outcome, f"{length}, and the outer packet may not be cut: nobody is told")


def wire_bytes(packet: Packet) -> int:
    """The longest piece of it that is on the wire."""
    return packet.size_bytes if packet.piece_bytes is None else packet.piece_bytes


def too_big(outcome: Outcome, reason: str, message: Packet | None = None) -> Outcome:
    """The end of a packet that is too long, with the message about it that its sender should get."""
    return ended(outcome, Ending(verdict=Verdict.TOO_BIG, reason=reason, message=message))


def told(packet: Packet, limit: int) -> Packet:
    """The message to the sender of a packet that is too long: what its length may be."""
    six = packet.family == 6
    return Packet(
        source=type(packet.source)(0),
        destination=packet.source,
        protocol=ICMPV6 if six else ICMP,
        icmp_type=PACKET_TOO_BIG if six else UNREACHABLE,
        icmp_code=0 if six else FRAGMENTATION_NEEDED,
        size_bytes=min(MESSAGE_BYTES, packet.size_bytes + 28),
        dont_fragment=False,
        tcp_flags=0,
        uid=0,
        gid=0,
        about=packet.flow,
        about_mtu=limit,
    )
