"""The tcp match: ports, flags and options of a TCP segment.

Kernel: net/netfilter/xt_tcpudp.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided, all_of
from kubectl_packetpath.walk.xtables.fields import (
    destination_port_in,
    negation,
    port_span,
    source_port_in,
)

INVERT_SOURCE, INVERT_DESTINATION, INVERT_FLAGS, INVERT_OPTION = 1, 2, 4, 8
FLAGS = (("FIN", 0x01), ("SYN", 0x02), ("RST", 0x04), ("PSH", 0x08), ("ACK", 0x10), ("URG", 0x20))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What the rule asks for."""

    sports: tuple[int, int]
    dports: tuple[int, int]
    option: int
    flag_mask: int
    flags: int
    invert: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_tcp`."""
    del family
    first, last, to_first, to_last, option, mask, flags, invert = struct.unpack_from("<4H4B", extension.data)
    return Spec(
        sports=(first, last),
        dports=(to_first, to_last),
        option=option,
        flag_mask=mask,
        flags=flags,
        invert=invert,
    )


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Later fragments have no header to look at."""
    del here
    if packet.fragment_offset:
        return False
    flags = (packet.tcp_flags & spec.flag_mask == spec.flags) != bool(spec.invert & INVERT_FLAGS)
    return all_of(
        (
            destination_port_in(packet, (spec.dports,), bool(spec.invert & INVERT_DESTINATION)),
            flags,
            source_port_in(packet, (spec.sports,), bool(spec.invert & INVERT_SOURCE)),
            Undecided("TCP options are not modelled") if spec.option else True,
        )
    )


def words(spec: Spec) -> str:
    """`--dport 80 --tcp-flags FIN,SYN,RST,ACK SYN`."""
    parts = []
    for name, span, bit in (
        ("--sport", spec.sports, INVERT_SOURCE),
        ("--dport", spec.dports, INVERT_DESTINATION),
    ):
        if span != (0, 0xFFFF) or spec.invert & bit:
            parts.append(f"{negation(bool(spec.invert & bit))}{name} {port_span(span)}")
    if spec.option or spec.invert & INVERT_OPTION:
        parts.append(f"{negation(bool(spec.invert & INVERT_OPTION))}--tcp-option {spec.option}")
    if spec.flag_mask or spec.invert & INVERT_FLAGS:
        names = f"{flag_names(spec.flag_mask)} {flag_names(spec.flags)}"
        parts.append(f"{negation(bool(spec.invert & INVERT_FLAGS))}--tcp-flags {names}")
    return " ".join(parts)


def flag_names(bits: int) -> str:
    """`SYN,ACK`, or NONE."""
    return ",".join(name for name, bit in FLAGS if bits & bit) or "NONE"


MATCH = Match(
    name="tcp",
    unpack=unpack,
    holds=holds,
    words=words,
    certainty="exact; forks on --tcp-option and on source ports that the kernel chooses",
)
