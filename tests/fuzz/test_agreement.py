"""The walk agrees with the kernel on made-up rulesets: on all that ever differed, and on hundreds of packets more."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzz.campaign import campaign
from fuzz.case import loads, pinned
from fuzz.ground import ground
from fuzz.run import told_figures
from fuzz.trial import Trial

pytestmark = pytest.mark.kernel

PACKETS = 600
SEED = int(os.environ.get("SEED") or random.SystemRandom().getrandbits(32))
"""Others each time, like `make fuzz`; give the one that is printed to see the same cases again."""


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    """A router to try cases on."""
    cpus = os.sched_getaffinity(0)
    with ground(f"test{os.getpid() % 10000}") as made:
        trial = Trial(made)
        yield trial
        trial.close()
    os.sched_setaffinity(0, cpus)


@pytest.mark.parametrize("file", pinned(), ids=lambda file: str(file.stem))
def test_pinned_case(trial: Trial, file: Path) -> None:
    """What once differed agrees."""
    case = loads(file.read_text())
    assert trial.load(case) == case, trial.refusal
    assert trial.run(case) == []


def test_fresh_cases(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    """Hundreds of packets through made-up rulesets end as the walk says, rule by rule where the kernel tells."""
    before = trial.figures.packets
    found = list(campaign(trial, SEED, packets=before + PACKETS))
    with capsys.disabled():
        print(f"\nfuzz: SEED={SEED}", "".join(f"\n{line}" for line in told_figures(trial.figures)))
    differing = {each.case.dumps(): each.differences for each in found}
    assert differing == {}, f"SEED={SEED}"
    assert trial.figures.packets - before >= PACKETS
