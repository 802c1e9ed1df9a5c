"""The quota match: whether a number of bytes is not yet used up.

Kernel: net/netfilter/xt_quota.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import negation


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The bytes that were granted."""

    quota: int
    invert: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_quota_info`."""
    del family
    flags, quota = struct.unpack_from("<I4xQ", extension.data)
    return Spec(quota=quota, invert=bool(flags & 1))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """What is left of it is not shown by the kernel."""
    del spec, here, packet
    return Undecided("what is left of the quota decides")


def words(spec: Spec) -> str:
    """`--quota 1000`."""
    return f"{negation(spec.invert)}--quota {spec.quota}"


MATCH = Match(name="quota", unpack=unpack, holds=holds, words=words, certainty="forks: load decides")
