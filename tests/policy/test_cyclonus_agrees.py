"""Our verdicts and those of an independent judge, for policies made up by chance."""

from collections.abc import Mapping

import pytest
from policy.cases import Case, case
from policy.oracle import Judgement, ask
from policy.ours import ours

pytestmark = pytest.mark.oracle
CASES = range(1, 401)


@pytest.fixture(scope="session")
def judged() -> Mapping[int, tuple[Case, list[Judgement]]]:
    """All cases, with what cyclonus says of their flows."""
    cases = [case(seed) for seed in CASES]
    return dict(zip(CASES, zip(cases, ask(cases), strict=True), strict=True))


@pytest.mark.parametrize("seed", CASES)
def test_both_judges_agree(seed: int, judged: Mapping[int, tuple[Case, list[Judgement]]]) -> None:
    """At both ends of every flow of a case."""
    made, theirs = judged[seed]
    differing = [
        (flow, mine, other)
        for flow, mine, other in zip(made.flows, ours(made), theirs, strict=True)
        if mine != other
    ]

    assert differing == []


def test_the_cases_are_worth_asking(judged: Mapping[int, tuple[Case, list[Judgement]]]) -> None:
    """Both answers are common at both ends, or agreeing would prove little."""
    all_of_them = [each for _, judgements in judged.values() for each in judgements]
    denied_out = sum(not each.egress for each in all_of_them) / len(all_of_them)
    denied_in = sum(not each.ingress for each in all_of_them) / len(all_of_them)

    assert 0.05 < denied_out < 0.95
    assert 0.05 < denied_in < 0.95
