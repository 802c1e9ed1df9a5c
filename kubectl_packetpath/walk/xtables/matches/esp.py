"""The esp match: the security parameter index of an ESP packet.

Kernel: net/netfilter/xt_esp.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import negation, port_span

ALL = (0, 0xFFFFFFFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A range of indexes."""

    span: tuple[int, int]
    invert: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read the range (IPv6's `ah` has more fields, which are not read)."""
    del family
    low, high = struct.unpack_from("<II", extension.data)
    return Spec(span=(low, high), invert=bool(extension.data[8]))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """The index is not part of a question."""
    del here
    if packet.fragment_offset:
        return False
    if spec.span == ALL:
        return not spec.invert
    return Undecided("the security parameter index decides")


def words(spec: Spec) -> str:
    """`--espspi 5:6`."""
    if spec.span == ALL and not spec.invert:
        return ""
    return f"{negation(spec.invert)}--espspi {port_span(spec.span)}"


MATCH = Match(name="esp", unpack=unpack, holds=holds, words=words, certainty="forks on --espspi")
