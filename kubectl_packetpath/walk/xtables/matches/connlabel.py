"""The connlabel match: a label of the connection.

Kernel: net/netfilter/xt_connlabel.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet, State
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import negation

INVERT, SET = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The label's bit."""

    bit: int
    options: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_connlabel_mtinfo`."""
    del family
    bit, options = struct.unpack_from("<HH", extension.data)
    return Spec(bit=bit, options=options)


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Look at the bit; with `--set` it is there afterwards in any case."""
    del here
    invert = bool(spec.options & INVERT)
    connection = packet.connection
    if connection is None or connection.state in {State.INVALID, State.UNTRACKED}:
        return invert
    if spec.options & SET:
        return Undecided("whether the connection may have labels is not recorded")
    return bool(connection.labels >> spec.bit & 1) != invert


def words(spec: Spec) -> str:
    """`--label "5"`."""
    return f'{negation(bool(spec.options & INVERT))}--label "{spec.bit}"{" --set" * bool(spec.options & SET)}'


MATCH = Match(name="connlabel", unpack=unpack, holds=holds, words=words, certainty="exact; forks on --set")
