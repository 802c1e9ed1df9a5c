"""The frag match: the fragment header of IPv6.

Kernel: net/ipv6/netfilter/ip6t_frag.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import negation, port_span

IDS, LENGTH, RESERVED, FIRST, MORE, LAST = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
NOT_IDS, NOT_LENGTH = 0x01, 0x02
ALL = (0, 0xFFFFFFFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What the rule asks for."""

    ids: tuple[int, int]
    length: int
    flags: int
    invert: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `ip6t_frag`."""
    del family
    low, high, length, flags, invert = struct.unpack_from("<IIIBB", extension.data)
    return Spec(ids=(low, high), length=length, flags=flags, invert=invert)


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """A packet that is whole has no such header."""
    del spec, here
    return Undecided("the fragment header decides") if packet.fragment_offset else False


def words(spec: Spec) -> str:
    """`--fragmore`."""
    parts = []
    if spec.ids != ALL:
        parts.append(f"{negation(bool(spec.invert & NOT_IDS))}--fragid {port_span(spec.ids)}")
    if spec.flags & LENGTH:
        parts.append(f"{negation(bool(spec.invert & NOT_LENGTH))}--fraglen {spec.length}")
    for bit, text in (
        (RESERVED, "--fragres"),
        (FIRST, "--fragfirst"),
        (MORE, "--fragmore"),
        (LAST, "--fraglast"),
    ):
        if spec.flags & bit:
            parts.append(text)
    return " ".join(parts)


MATCH = Match(
    name="frag",
    unpack=unpack,
    holds=holds,
    words=words,
    certainty="exact for whole packets; forks on fragments",
)
