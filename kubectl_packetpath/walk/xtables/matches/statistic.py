"""The statistic match: chance, or every n-th packet.

With it kube-proxy in iptables mode spreads connections over endpoints.

Kernel: net/netfilter/xt_statistic.c
"""

import struct
from dataclasses import dataclass
from fractions import Fraction

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Chance, Decision, Extension, Match, inverted

RANDOM, NTH = 0, 1
WHOLE = 1 << 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What the rule asks for."""

    mode: int
    invert: bool
    probability: int
    """Of 2^31, or for `nth` the number of packets between two that match."""
    packet: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_statistic_info`."""
    del family
    mode, flags, number, packet = struct.unpack_from("<HHII", extension.data)
    if mode not in {RANDOM, NTH}:
        raise ValueError(f"statistic mode {mode}")
    return Spec(mode=mode, invert=bool(flags & 1), probability=number, packet=packet)


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """A share; the counter behind `nth` is not shown by the kernel, so a packet meets it at any value."""
    del here, packet
    if spec.mode == NTH:
        return inverted(Chance(Fraction(1, spec.probability + 1)), spec.invert)
    return inverted(Chance(min(Fraction(spec.probability, WHOLE), Fraction(1))), spec.invert)


def words(spec: Spec) -> str:
    """`--mode random --probability 0.50000000000`."""
    if spec.mode == RANDOM:
        return f"--mode random{' !' * spec.invert} --probability {spec.probability / WHOLE:.11f}"
    return f"--mode nth{' !' * spec.invert} --every {spec.probability + 1} --packet {spec.packet}"


MATCH = Match(name="statistic", unpack=unpack, holds=holds, words=words, certainty="forks, with exact shares")
