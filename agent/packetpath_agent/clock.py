"""The kernel's clock of ticks (jiffies), in which it notes when an address was seen.

The list of timers tells it to root. It runs along with the monotonic clock, but behind it by what the machine
took to start its ticks, a quarter of a second or more; where there is no such list, that much is uncertain.

Kernel: kernel/time/timer_list.c, include/linux/jiffies.h (INITIAL_JIFFIES)
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packetpath_agent import files

CLOCK_MONOTONIC_COARSE = 6
BOOT_SECONDS = 10
"""More than any machine takes from its first moment to its first tick."""
MOST_LINES = 100_000
TIMERS = "proc/timer_list"


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelClock:
    """How the kernel's ticks follow from the monotonic clock."""

    hertz: int
    offset: int
    slack_seconds: int

    def now(self) -> int:
        """The kernel's jiffies."""
        return self.offset + _ticks(self.hertz)


def kernel_clock() -> KernelClock:
    """The clock as the kernel tells it, or as it is by the time since the machine was started."""
    hertz = round(1 / time.clock_getres(CLOCK_MONOTONIC_COARSE))
    for path in (Path("/", TIMERS), files.on_host(TIMERS)):
        jiffies = _told(path)
        if jiffies is not None:
            return KernelClock(hertz=hertz, offset=jiffies - _ticks(hertz), slack_seconds=0)
    return KernelClock(hertz=hertz, offset=(1 << 32) - 300 * hertz, slack_seconds=BOOT_SECONDS)


def _ticks(hertz: int) -> int:
    return int(time.clock_gettime(time.CLOCK_MONOTONIC) * hertz)


def _told(path: Path) -> int | None:
    """The first CPU's; None: no such list here, or one that the container's engine hides."""
    try:
        with path.open(errors="replace") as stream:
            for line in _first(stream, MOST_LINES):
                if line.startswith("jiffies: "):
                    return int(line.removeprefix("jiffies: "))
    except (OSError, ValueError):
        pass
    return None


def _first(lines: Iterator[str], most: int) -> Iterator[str]:
    return (line for _, line in zip(range(most), lines, strict=False))
