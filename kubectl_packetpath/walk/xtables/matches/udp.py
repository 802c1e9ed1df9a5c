"""The udp match: ports of a UDP datagram.

Kernel: net/netfilter/xt_tcpudp.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, all_of
from kubectl_packetpath.walk.xtables.fields import (
    destination_port_in,
    negation,
    port_span,
    source_port_in,
)

INVERT_SOURCE, INVERT_DESTINATION = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What the rule asks for."""

    sports: tuple[int, int]
    dports: tuple[int, int]
    invert: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_udp`."""
    del family
    first, last, to_first, to_last, invert = struct.unpack_from("<4HB", extension.data)
    return Spec(sports=(first, last), dports=(to_first, to_last), invert=invert)


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Later fragments have no header to look at."""
    del here
    if packet.fragment_offset:
        return False
    return all_of(
        (
            destination_port_in(packet, (spec.dports,), bool(spec.invert & INVERT_DESTINATION)),
            source_port_in(packet, (spec.sports,), bool(spec.invert & INVERT_SOURCE)),
        )
    )


def words(spec: Spec) -> str:
    """`--dport 53`."""
    parts = []
    for name, span, bit in (
        ("--sport", spec.sports, INVERT_SOURCE),
        ("--dport", spec.dports, INVERT_DESTINATION),
    ):
        if span != (0, 0xFFFF) or spec.invert & bit:
            parts.append(f"{negation(bool(spec.invert & bit))}{name} {port_span(span)}")
    return " ".join(parts)


MATCH = Match(
    name="udp",
    unpack=unpack,
    holds=holds,
    words=words,
    certainty="exact; forks on source ports that the kernel chooses",
)
