"""The connbytes match: how much the connection has carried.

Kernel: net/netfilter/xt_connbytes.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet, State
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import negation

MODES = ("packets", "bytes", "avgpkt")
DIRECTIONS = ("original", "reply", "both")
NO_END = (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A range; turned round where the first is the larger one."""

    first: int
    last: int
    mode: int
    direction: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_connbytes_info`."""
    del family
    first, last, mode, direction = struct.unpack_from("<QQBB", extension.data)
    if mode >= len(MODES) or direction >= len(DIRECTIONS):
        raise ValueError("not a connbytes match")
    return Spec(first=first, last=last, mode=mode, direction=direction)


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """The connection's counters decide."""
    del spec, here
    if packet.connection is None or packet.connection.state in {State.INVALID, State.UNTRACKED}:
        return False
    return Undecided("the connection's counters decide")


def words(spec: Spec) -> str:
    """`--connbytes 100:200 --connbytes-mode bytes --connbytes-dir both`."""
    invert = spec.first > spec.last
    first, last = (spec.last, spec.first) if invert else (spec.first, spec.last)
    span = str(first) if last == NO_END else f"{first}:{last}"
    mode, direction = MODES[spec.mode], DIRECTIONS[spec.direction]
    return f"{negation(invert)}--connbytes {span} --connbytes-mode {mode} --connbytes-dir {direction}"


MATCH = Match(name="connbytes", unpack=unpack, holds=holds, words=words, certainty="forks: counters decide")
