"""`make fuzz`: fresh cases for as long as it is told; what differs is shrunk and printed, ready to be pinned."""

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from fuzz.campaign import Found, campaign
from fuzz.ground import ground
from fuzz.shrink import shrunk
from fuzz.trial import Figures, Trial

FOLDER = Path(__file__).with_name("found")
"""Where the cases that differ are written; move one to `pinned` once the walk agrees with the kernel."""


def main() -> int:
    """Run for SECONDS (600) from SEED (any); 1 where a difference was found."""
    seconds = float(os.environ.get("SECONDS_TO_RUN") or 600)
    start = int(os.environ.get("SEED") or random.SystemRandom().getrandbits(32))
    print(f"fuzz: {seconds:.0f} s from SEED={start}", file=sys.stderr)
    with ground(f"fuzz{os.getpid() % 10000}") as made:
        trial = Trial(made)
        try:
            for found in campaign(trial, start, seconds=seconds):
                for line in _told(found):
                    print(line)
                before = trial.figures
                trial.figures = Figures()
                small = shrunk(trial, found.case)
                trial.figures = before
                FOLDER.mkdir(exist_ok=True)
                file = FOLDER / f"{start}-{before.cases}.json"
                file.write_text(small.dumps() + "\n")
                print(f"  shrunk: {file}")
        finally:
            trial.close()
    for line in told_figures(trial.figures):
        print(line)
    return 1 if trial.figures.differences else 0


def _told(found: Found) -> Iterator[str]:
    for difference in found.differences[:3]:
        yield f"DIFFERENCE: {difference.shot}"
        yield from (f"  the walk: {why}" for why in difference.why)
        yield f"  the kernel: {difference.happened}"
        yield from (f"    {step}" for step in difference.steps)


def told_figures(figures: Figures) -> Iterator[str]:
    """What was done, for people and for docs/agreement.md."""
    yield (
        f"{figures.cases} cases, {figures.packets} packets ({figures.known} of known connections), {figures.traced} rules compared with the kernel's trace, "
        f"{figures.differences} differences"
    )
    yield (
        f"{figures.assumed} packets met something assumed, {figures.unknown} ended UNKNOWN, "
        f"{figures.refused} cases would not load"
    )
    yield "ends: " + ", ".join(f"{name} {count}" for name, count in figures.endings.most_common())


if __name__ == "__main__":
    sys.exit(main())
