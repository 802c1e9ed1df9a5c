"""The u32 match: numbers computed from the packet's bytes.

Kernel: net/netfilter/xt_u32.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import negation

OPERATORS = ("&", "<<", ">>", "@")
TEST_SIZE, TESTS, VALUES_AT = 11 * 8 + 11 * 8 + 4, 11, 11 * 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The computation, as text."""

    text: str
    invert: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_u32`."""
    del family
    data = extension.data
    count, invert = data[TEST_SIZE * TESTS], data[TEST_SIZE * TESTS + 1]
    tests = "&&".join(_test(data[at : at + TEST_SIZE]) for at in range(0, count * TEST_SIZE, TEST_SIZE))
    return Spec(text=tests, invert=bool(invert))


def _test(data: bytes) -> str:
    numbers, values = data[VALUES_AT * 2], data[VALUES_AT * 2 + 1]
    text = ""
    for position in range(numbers):
        number, operator = struct.unpack_from("<IB", data, position * 8)
        text += (OPERATORS[operator] if position else "") + f"0x{number:x}"
    spans = []
    for position in range(values):
        low, high = struct.unpack_from("<II", data, VALUES_AT + position * 8)
        spans.append(f"0x{low:x}" if low == high else f"0x{low:x}:0x{high:x}")
    return f"{text}={','.join(spans)}"


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """A question has no bytes."""
    del spec, here, packet
    return Undecided("the packet's bytes decide")


def words(spec: Spec) -> str:
    """`--u32 "0x0>>0x16=0x50"`."""
    return f'{negation(spec.invert)}--u32 "{spec.text}"'


MATCH = Match(name="u32", unpack=unpack, holds=holds, words=words, certainty="forks: content decides")
