"""The limit match: whether such packets come rarely enough.

Kernel: net/netfilter/xt_limit.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided

UNITS = (("day", 864_000_000), ("hour", 36_000_000), ("min", 600_000), ("sec", 10_000))
DEFAULT_BURST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Time between two packets, in 1/10,000 s, and how many may come at once."""

    period: int
    burst: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_rateinfo`."""
    del family
    period, burst = struct.unpack_from("<II", extension.data)
    return Spec(period=period, burst=burst)


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """The traffic of the last moments decides."""
    del here, packet
    return Undecided(f"a limit of {rate(spec.period)}: the load decides")


def rate(period: int) -> str:
    """`5/min`, in the largest unit that loses nothing."""
    if period == 0:
        return "inf"
    chosen = 0
    for position in range(1, len(UNITS)):
        unit = UNITS[position][1]
        if period > unit or unit // period < unit % period:
            break
        chosen = position
    name, unit = UNITS[chosen]
    return f"{unit // period}/{name}"


def words(spec: Spec) -> str:
    """`--limit 5/min --limit-burst 10`."""
    burst = f" --limit-burst {spec.burst}" if spec.burst != DEFAULT_BURST else ""
    return f"--limit {rate(spec.period)}{burst}"


MATCH = Match(name="limit", unpack=unpack, holds=holds, words=words, certainty="forks: load decides")
