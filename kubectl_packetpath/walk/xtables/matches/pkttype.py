"""The pkttype match: whether the frame was for us, for all or for a group.

Kernel: net/netfilter/xt_pkttype.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk import routing
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match
from kubectl_packetpath.walk.xtables.fields import negation

NAMES = ("unicast", "broadcast", "multicast")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """PACKET_HOST, PACKET_BROADCAST or PACKET_MULTICAST."""

    type: int
    invert: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_pkttype_info`."""
    del family
    number, invert = struct.unpack_from("<ii", extension.data)
    return Spec(type=number, invert=bool(invert))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """The frame is addressed as its IP packet is."""
    number = 0
    if packet.destination.is_multicast:
        number = 2
    elif packet.family == 4 and routing.address_type(here.state, packet.destination) == "BROADCAST":
        number = 1
    return (number == spec.type) != spec.invert


def words(spec: Spec) -> str:
    """`--pkt-type broadcast`."""
    name = NAMES[spec.type] if 0 <= spec.type < len(NAMES) else str(spec.type)
    return f"{negation(spec.invert)}--pkt-type {name}"


MATCH = Match(name="pkttype", unpack=unpack, holds=holds, words=words)
