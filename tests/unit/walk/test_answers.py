"""Answers that come back, and those that do so in a share of all cases."""

from collections.abc import Sequence
from fractions import Fraction

import pytest
from unit.walk.states import packet

from kubectl_packetpath.trace import Ending, Hop, Path, Verdict
from kubectl_packetpath.walk.answers import with_replies

HALF, THIRD, ALL = Fraction(1, 2), Fraction(1, 3), Fraction(1)
HERE = (Hop(node="n", namespace="host", steps=()),)
Share = Fraction | None


def path(verdict: Verdict, weight: Share = ALL) -> Path:
    """One that ends so."""
    ending = Ending(verdict=verdict, reason="")
    return Path(weight=weight, hops=HERE, packet=packet("10.0.0.1:1 10.0.0.2:80"), ending=ending)


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ([], [(HALF, None, None)]),
        ([(Verdict.DELIVERED, ALL)], [(HALF, Verdict.DELIVERED, ALL)]),
        (
            [(Verdict.DELIVERED, HALF), (Verdict.DELIVERED, HALF)],
            [(HALF, Verdict.DELIVERED, HALF)],
        ),
        (
            [(Verdict.DELIVERED, THIRD), (Verdict.DROPPED, THIRD), (Verdict.DELIVERED, THIRD)],
            [(HALF * THIRD, Verdict.DROPPED, THIRD), (THIRD, Verdict.DELIVERED, 2 * THIRD)],
        ),
        (
            [(Verdict.DELIVERED, HALF), (Verdict.UNKNOWN, HALF)],
            [(HALF * HALF, Verdict.UNKNOWN, HALF), (HALF * HALF, Verdict.DELIVERED, HALF)],
        ),
        (
            [(Verdict.DELIVERED, HALF), (Verdict.DELIVERED, None)],
            [(HALF * HALF, Verdict.DELIVERED, HALF), (None, Verdict.DELIVERED, None)],
        ),
        (
            [(Verdict.DELIVERED, None), (Verdict.DROPPED, None)],
            [(None, Verdict.DROPPED, None), (None, Verdict.DELIVERED, None)],
        ),
    ],
)
def test_each_kind_of_end_has_its_share(
    replies: Sequence[tuple[Verdict, Share]], expected: list[tuple[Share, Verdict | None, Share]]
) -> None:
    """A lost answer loses no more connections than it is sent in."""
    found = list(with_replies(path(Verdict.DELIVERED, HALF), [path(*each) for each in replies]))

    ends = [
        (each.weight, each.reply and each.reply.ending.verdict, each.reply and each.reply.weight)
        for each in found
    ]
    assert ends == expected
