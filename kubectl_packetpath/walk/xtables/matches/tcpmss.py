"""The tcpmss match: the segment size that a SYN announces.

Kernel: net/netfilter/xt_tcpmss.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import TCP_SYN, Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import negation, port_span


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A range of sizes."""

    span: tuple[int, int]
    invert: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_tcpmss_match_info`."""
    del family
    low, high, invert = struct.unpack_from("<HHB", extension.data)
    return Spec(span=(low, high), invert=bool(invert))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Only a SYN announces one."""
    del here
    if not packet.tcp_flags & TCP_SYN:
        return spec.invert
    return Undecided("the announced segment size decides")


def words(spec: Spec) -> str:
    """`--mss 1:500`."""
    return f"{negation(spec.invert)}--mss {port_span(spec.span)}"


MATCH = Match(name="tcpmss", unpack=unpack, holds=holds, words=words, certainty="forks on a SYN")
