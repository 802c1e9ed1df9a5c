"""The cpu match: the processor that handles the packet.

Kernel: net/netfilter/xt_cpu.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import negation


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Its number."""

    cpu: int
    invert: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_cpu_info`."""
    del family
    cpu, invert = struct.unpack_from("<II", extension.data)
    return Spec(cpu=cpu, invert=bool(invert))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """It may be any."""
    del spec, here, packet
    return Undecided("the processor that handles the packet decides")


def words(spec: Spec) -> str:
    """`--cpu 0`."""
    return f"{negation(spec.invert)}--cpu {spec.cpu}"


MATCH = Match(name="cpu", unpack=unpack, holds=holds, words=words, certainty="forks: load decides")
