"""Chains of legacy tables."""

import struct
from fractions import Fraction

import pytest
from unit.walk.xtables.blobs import Line, table_of, tcp_packet, walked

from kubectl_packetpath.snapshot.state import NotRecorded
from kubectl_packetpath.snapshot.xtables import LegacyTable
from kubectl_packetpath.trace import StepKind, Verdict
from kubectl_packetpath.walk.xtables.extension import Extension

UNKNOWN = Extension(name="telepathy", revision=3, data=b"")
LOG = Extension(name="LOG", revision=0, data=bytes(32))
MASQUERADE_MARK = Extension(name="MARK", revision=2, data=struct.pack("<II", 0x4000, 0x4000))


def chance(probability: int) -> Extension:
    """`-m statistic --mode random`, in 2^31."""
    return Extension(name="statistic", revision=0, data=struct.pack("<HHIQQ", 0, 0, probability, 0, 0))


def test_endpoints_get_the_kernels_exact_shares() -> None:
    """kube-proxy's thirds are what 2^31 allows, and they sum to one."""
    third, half = 715827883, 1 << 30
    lines = (Line(matches=(chance(third),), to="A"), Line(matches=(chance(half),), to="B"), Line(to="C"))
    chains = {name: (Line(to=MASQUERADE_MARK), Line(to="ACCEPT")) for name in "ABC"}

    outcomes = walked(table_of(lines, chains))

    first = Fraction(third, 1 << 31)
    assert [outcome.weight for outcome in outcomes] == [first, (1 - first) / 2, (1 - first) / 2]
    assert {outcome.packet.mark for outcome in outcomes} == {0x4000}


def test_a_match_that_is_not_modelled_takes_both_branches_and_names_its_place() -> None:
    """Neither a silent match nor a silent miss."""
    outcomes = walked(table_of((Line(to=None), Line(matches=(UNKNOWN,), to="DROP"))))

    assert [outcome.weight for outcome in outcomes] == [None, None]
    assert [outcome.ending.verdict if outcome.ending else None for outcome in outcomes] == [
        Verdict.DROPPED,
        None,
    ]
    for outcome in outcomes:
        assert outcome.history is not None
        step = next(iter(outcome.history))
        assert step.kind is StepKind.ASSUMED
        assert step.text.startswith(
            'node1 filter/PREROUTING/2: match "telepathy" (revision 3) is not modelled'
        )
        assert step.because[0].text == "-A PREROUTING -m telepathy [not modelled] -j DROP"


def test_a_doubtful_match_before_a_target_that_only_looks_on_forks_nothing() -> None:
    """Otherwise twenty limited LOG rules would be a million branches."""
    outcomes = walked(table_of(tuple(Line(matches=(UNKNOWN,), to=LOG) for _ in range(20))))

    assert [outcome.weight for outcome in outcomes] == [Fraction(1)]


def test_a_doubtful_match_costs_nothing_where_another_one_surely_fails() -> None:
    """A construct that is not known matters only on the packet's path."""
    never = Extension(name="mark", revision=1, data=struct.pack("<IIB3x", 1, 1, 0))

    (outcome,) = walked(table_of((Line(matches=(UNKNOWN, never), to="DROP"),)))

    assert outcome.weight == 1
    assert outcome.verdict == "accept"


def test_too_many_doubts_end_in_unknown_instead_of_an_explosion() -> None:
    """Branches are counted, and the last ones say so."""
    lines = tuple(Line(matches=(UNKNOWN,), to=MASQUERADE_MARK) for _ in range(40))

    outcomes = walked(table_of(lines))

    assert len(outcomes) < 1000
    assert {Verdict.UNKNOWN} == {outcome.ending.verdict for outcome in outcomes if outcome.ending}


def test_a_target_that_is_not_modelled_ends_in_unknown() -> None:
    """What it does to the packet is anyone's guess."""
    (outcome,) = walked(table_of((Line(to=Extension(name="TELEPORT", revision=0, data=b"")),)))

    assert outcome.ending is not None
    assert outcome.ending.verdict is Verdict.UNKNOWN
    assert (
        outcome.ending.reason == 'node1 filter/PREROUTING/1: target "TELEPORT" (revision 0) is not modelled'
    )


def test_a_queue_ends_in_unknown() -> None:
    """A program decides there."""
    (outcome,) = walked(table_of((Line(to="QUEUE"),)))

    assert outcome.ending is not None
    assert outcome.ending.verdict is Verdict.UNKNOWN


def test_a_goto_returns_past_its_own_chain() -> None:
    """The rule behind the goto is never asked."""
    lines = (Line(to="A"), Line(to="ACCEPT"))
    chains = {"A": (Line(to="B", goto=True), Line(to="DROP")), "B": ()}

    (outcome,) = walked(table_of(lines, chains, policy="DROP"))

    assert outcome.verdict == "accept"


def test_a_policy_that_drops_says_so_with_its_counters() -> None:
    """The user finds it as iptables-save prints it."""
    (outcome,) = walked(table_of((), policy="DROP"))

    assert outcome.ending is not None
    assert outcome.ending.reason == "dropped by the policy of filter/PREROUTING"
    assert outcome.history is not None
    fact = outcome.history.step.because[0]
    assert (fact.key, fact.text, fact.packets, fact.bytes) == (
        "node1 filter/PREROUTING/policy",
        ":PREROUTING DROP",
        7,
        420,
    )


def test_a_chain_that_nobody_recorded_is_asked_for() -> None:
    """A narrowed recording must not be taken for an empty table."""
    table = table_of((Line(to="A"),), {"A": ()})
    narrowed = LegacyTable(
        family=4, name="filter", valid_hooks=1, hook_entry=table.hook_entry, underflow=table.underflow
    )

    with pytest.raises(NotRecorded):
        walked(narrowed)


def test_bytes_that_are_no_rule_become_a_doubt_not_a_crash() -> None:
    """A match that says that it is longer than its rule."""
    table = table_of((Line(matches=(UNKNOWN,), to="DROP"),))
    assert table.blob is not None
    broken = table.blob[:112] + b"\xff\x00" + table.blob[114:]
    outcomes = walked(
        LegacyTable(
            family=4,
            name="filter",
            valid_hooks=1,
            hook_entry=table.hook_entry,
            underflow=table.underflow,
            blob=broken,
        )
    )

    assert {outcome.weight for outcome in outcomes} == {None}


def test_a_source_port_that_the_kernel_chooses_is_a_doubt() -> None:
    """No rule can rely on its value."""
    sport = Extension(name="tcp", revision=0, data=struct.pack("<4H4B", 30000, 50000, 0, 0xFFFF, 0, 0, 0, 0))
    packet = tcp_packet(sport_chosen=True)

    outcomes = walked(table_of((Line(matches=(sport,), to="DROP", protocol=6),)), packet)

    assert [outcome.weight for outcome in outcomes] == [None, None]
