"""Many fresh cases, one after the other, from a seed."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from fuzz.case import Case
from fuzz.cases import cases
from fuzz.judge import Difference
from fuzz.trial import Trial
from hypothesis import HealthCheck, Phase, given, seed, settings

AT_A_TIME = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Differences of one case."""

    case: Case
    differences: tuple[Difference, ...]


def campaign(trial: Trial, start: int, *, packets: int = 0, seconds: float = 0) -> Iterator[Found]:
    """Try cases until so many packets were sent, or so much time has passed; yields those that show a difference."""
    chance = random.Random(start)
    until = time.monotonic() + seconds
    while trial.figures.packets < packets or time.monotonic() < until:
        for case in drawn(chance.getrandbits(32)):
            loaded = trial.load(case)
            if loaded is None:
                trial.figures.refused += 1
                continue
            differences = trial.run(loaded)
            if differences:
                yield Found(case=loaded, differences=tuple(differences))


def drawn(number: int) -> list[Case]:
    """Some cases; always the same ones for a number."""
    found: list[Case] = []

    @seed(number)
    @settings(
        max_examples=AT_A_TIME,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def draw(case: Case) -> None:
        found.append(case)

    draw()
    return found
