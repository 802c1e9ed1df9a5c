"""Jumps, verdicts, policies, chance and doubt in the chains of nftables."""

from dataclasses import replace
from fractions import Fraction

from unit.walk.nftables.rules import (
    LT,
    NEQ,
    PACKET,
    a_set,
    chains,
    cmp,
    decide,
    element,
    expression,
    lookup,
    meta,
    number,
    numgen,
    payload,
    port,
    rule,
    told,
    verdict,
    walked,
)

from kubectl_packetpath.packet import TCP
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.netlink import attribute
from kubectl_packetpath.trace import Verdict

ACCEPT, DROP, QUEUE, JUMP, GOTO, RETURN = 1, 0, 3, -3, -4, -5
TO_80 = (payload(2, 2, 2), cmp(port(80)))
TO_81 = (payload(2, 2, 2), cmp(port(81)))


def test_a_rule_for_other_packets_leaves_no_step() -> None:
    """Rules that do not match are not told."""
    (outcome,) = walked(chains(base=(rule(*TO_81, decide(DROP)),)))

    assert outcome.verdict == "accept"
    assert outcome.history is None


def test_a_drop_ends_the_packet() -> None:
    """The rule that dropped it is the evidence."""
    (outcome,) = walked(chains(base=(rule(*TO_81, decide(ACCEPT)), rule(*TO_80, decide(DROP)))))

    assert outcome.ending is not None
    assert outcome.ending.verdict is Verdict.DROPPED
    assert told(outcome) == ["dropped base/2"]


def test_a_jump_comes_back_and_a_goto_does_not() -> None:
    """After a goto the packet goes on behind the rule that jumped before it."""
    made = chains(
        base=(rule(decide(JUMP, "a")), rule(decide(ACCEPT))),
        a=(rule(decide(GOTO, "b")), rule(decide(DROP))),
        b=(rule(*TO_81, decide(DROP)),),
    )

    (outcome,) = walked(made)

    assert told(outcome) == ["jumped base/1", "jumped a/1", "matched base/2"]


def test_a_return_in_a_base_chain_asks_the_policy() -> None:
    """Here the policy drops."""
    (outcome,) = walked(chains(base_drop=(rule(decide(RETURN)), rule(decide(ACCEPT)))))

    assert told(outcome) == ["returned base_drop/1", "dropped base_drop/policy"]


def test_a_queue_is_for_a_program_to_decide() -> None:
    """Nobody can say what becomes of the packet."""
    (outcome,) = walked(chains(base=(rule(decide(QUEUE)),)))

    assert outcome.ending is not None
    assert outcome.ending.verdict is Verdict.UNKNOWN
    assert outcome.weight is None


def test_a_verdict_map_decides_by_its_element() -> None:
    """A key that the map does not have leaves the rule without effect."""
    by_port = a_set("m", [element(port(80), attribute(2, verdict(DROP)))], key_length=2)
    made = chains(base=(rule(payload(2, 2, 2), lookup("m", number(3, 0))), rule(decide(ACCEPT))))

    (dropped,) = walked(made, sets=(by_port,))
    (accepted,) = walked(made, replace(PACKET, dport=81), sets=(by_port,))

    assert told(dropped) == ["dropped base/1"]
    assert told(accepted) == ["matched base/2"]


def test_chance_forks_with_exact_shares() -> None:
    """Elements that say the same thing for several numbers have one branch with their sum."""
    by_chance = a_set(
        "m",
        [element(n.to_bytes(4, "little"), attribute(2, verdict(DROP if n else ACCEPT))) for n in range(3)],
    )
    made = chains(base=(rule(numgen(3), lookup("m", number(3, 0))),))

    outcomes = walked(made, sets=(by_chance,))

    assert [outcome.weight for outcome in outcomes] == [Fraction(1, 3)] * 3
    assert [outcome.ending is None for outcome in outcomes] == [True, False, False]


def test_a_comparison_with_chance_forks_once() -> None:
    """`numgen random mod 4 < 1` is a quarter, and the rest goes on."""
    made = chains(base=(rule(numgen(4), cmp((1).to_bytes(4, "little"), LT), decide(DROP)),))

    outcomes = walked(made)

    assert sorted((outcome.weight, outcome.ending is None) for outcome in outcomes) == [
        (Fraction(1, 4), False),
        (Fraction(3, 4), True),
    ]


def test_an_unknown_expression_goes_both_ways_and_is_named() -> None:
    """Nothing is guessed, and the rules behind are walked in both branches."""
    made = chains(base=(rule(expression("novel"), decide(DROP)), rule(decide(ACCEPT))))

    outcomes = walked(made)

    assert [outcome.weight for outcome in outcomes] == [None, None]
    assert {outcome.ending is None for outcome in outcomes} == {True, False}
    assert all("n t/base/1" in step.text for o in outcomes for step in [next(iter(o.history or ()))])


def test_a_doubt_before_a_mere_counter_changes_nothing() -> None:
    """No fork where both ways are the same."""
    limit = expression(
        "limit", attribute(1, bytes(7) + b"\x05"), attribute(2, bytes(7) + b"\x01"), number(3, 5)
    )
    made = chains(base=(rule(limit, expression("counter")), rule(decide(DROP))))

    (outcome,) = walked(made)

    assert outcome.weight == 1
    assert told(outcome) == ["dropped base/2"]


def test_a_source_port_that_the_kernel_chooses_is_not_relied_upon() -> None:
    """A rule on it may match or not; one on a privileged port cannot."""
    chosen = replace(PACKET, sport_chosen=True)
    made = chains(base=(rule(payload(2, 0, 2), cmp(port(53)), decide(DROP)),))

    (outcome,) = walked(made, chosen)

    assert outcome.ending is None
    assert len(walked(chains(base=(rule(payload(2, 0, 2), cmp(port(5353)), decide(DROP)),)), chosen)) == 2


def test_ten_thousand_rules_are_walked_to_the_one_that_matches() -> None:
    """The short cut by bytes skips only what cannot match."""
    others = tuple(
        rule(payload(1, 16, 4), cmp(bytes([10, 1, n // 250, n % 250])), decide(DROP)) for n in range(10_000)
    )
    last = rule(
        meta(16), cmp(bytes([TCP])), payload(1, 16, 4), cmp(bytes([10, 9, 9, 9]), NEQ), decide(ACCEPT)
    )

    (outcome,) = walked(chains(base=(*others, last)))

    assert told(outcome) == ["matched base/10001"]


def test_a_chain_that_could_not_be_read_is_unknown() -> None:
    """Neither accepted nor dropped."""
    (base,) = chains(base=())
    unread = replace(base, rules=Absent(why=Why.NOT_PERMITTED))

    (outcome,) = walked((unread,))

    assert outcome.ending is not None
    assert outcome.ending.verdict is Verdict.UNKNOWN
