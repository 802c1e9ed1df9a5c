"""The length match: the length of the packet.

Kernel: net/netfilter/xt_length.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match
from kubectl_packetpath.walk.xtables.fields import negation, port_span


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A range of bytes, headers included."""

    span: tuple[int, int]
    invert: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_length_info`."""
    del family
    low, high, invert = struct.unpack_from("<HHB", extension.data)
    return Spec(span=(low, high), invert=bool(invert))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Compare with the size that was asked about."""
    del here
    return (spec.span[0] <= packet.size_bytes <= spec.span[1]) != spec.invert


def words(spec: Spec) -> str:
    """`--length 100:200`."""
    return f"{negation(spec.invert)}--length {port_span(spec.span)}"


MATCH = Match(name="length", unpack=unpack, holds=holds, words=words)
