"""The time match: whether the clock stands right.

Kernel: net/netfilter/xt_time.c
"""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided

LOCAL_ZONE, CONTIGUOUS = 1, 2
ALL_MONTHDAYS, ALL_WEEKDAYS = 0xFFFFFFFE, 0xFE
WHOLE_DAY = (0, 24 * 60 * 60 - 1)
DAYS = ("", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """When the rule is in force."""

    dates: tuple[int, int]
    day: tuple[int, int]
    monthdays: int
    weekdays: int
    flags: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_time_info`."""
    del family
    start, stop, morning, evening, monthdays, weekdays, flags = struct.unpack_from("<5IBB", extension.data)
    return Spec(
        dates=(start, stop), day=(morning, evening), monthdays=monthdays, weekdays=weekdays, flags=flags
    )


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """The clock decides."""
    del spec, here, packet
    return Undecided("the time of day decides")


def words(spec: Spec) -> str:
    """`--timestart 08:00:00 --timestop 17:30:00 --weekdays Mon,Tue`."""
    parts = []
    if spec.day != WHOLE_DAY:
        parts += [f"--timestart {_clock(spec.day[0])}", f"--timestop {_clock(spec.day[1])}"]
    if spec.monthdays != ALL_MONTHDAYS:
        parts.append("--monthdays " + ",".join(str(day) for day in range(1, 32) if spec.monthdays >> day & 1))
    if spec.weekdays != ALL_WEEKDAYS:
        parts.append("--weekdays " + ",".join(DAYS[day] for day in range(1, 8) if spec.weekdays >> day & 1))
    for option, moment in zip(("--datestart", "--datestop"), spec.dates, strict=True):
        if moment:
            parts.append(f"{option} {datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S}")
    if spec.flags & LOCAL_ZONE:
        parts.append("--kerneltz")
    if spec.flags & CONTIGUOUS:
        parts.append("--contiguous")
    return " ".join(parts)


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


MATCH = Match(name="time", unpack=unpack, holds=holds, words=words, certainty="forks: the clock decides")
