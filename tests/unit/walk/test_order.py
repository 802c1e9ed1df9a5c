"""The order of functions at a hook."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
from unit.walk.states import LO, WrittenState, device, here, packet, route

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Ending, History, Outcome, StepKind, Verdict
from kubectl_packetpath.walk.here import Here, Outcomes, ended, go_on
from kubectl_packetpath.walk.order import Function, call_all

HERE = here(WrittenState(devices=(LO, device(2, "eth0")), ways=(route("default via 10.0.0.254 dev 2"),)))
NOWHERE = here(WrittenState())
PACKET = packet("10.0.0.1:40000 10.0.0.2:80")


def marking(mark: int) -> Callable[[Here, Packet, History | None], Outcomes]:
    """Sets the mark."""

    def run(_: Here, given: Packet, history: History | None) -> Outcomes:
        yield go_on(replace(given, mark=mark), history)

    return run


def dropping(mark: int) -> Callable[[Here, Packet, History | None], Outcomes]:
    """Drops what has this mark."""

    def run(_: Here, given: Packet, history: History | None) -> Outcomes:
        outcome = go_on(given, history)
        ending = Ending(verdict=Verdict.DROPPED, reason="the mark")
        yield ended(outcome, ending) if given.mark == mark else outcome

    return run


def called(*functions: Function, at: Here = HERE) -> list[Outcome]:
    """All outcomes."""
    return list(call_all(at, functions, go_on(PACKET, None)))


def test_lower_priorities_run_first() -> None:
    """The order of registration does not matter for different priorities."""
    results = called(
        Function(priority=0, title="drop", run=dropping(1)),
        Function(priority=-150, title="mark", run=marking(1)),
    )

    assert [result.ending is not None for result in results] == [True]


def test_an_end_is_final() -> None:
    """Later functions do not see a dropped packet."""
    results = called(
        Function(priority=0, title="drop", run=dropping(0)),
        Function(priority=1, title="mark", run=marking(5)),
    )

    assert [result.packet.mark for result in results] == [0]


def test_functions_of_one_priority_that_commute_need_no_order() -> None:
    """Two that mark alike."""
    results = called(
        Function(priority=0, title="one", run=marking(5)), Function(priority=0, title="two", run=marking(5))
    )

    assert [(result.weight, result.packet.mark) for result in results] == [(Fraction(1), 5)]


def test_functions_of_one_priority_that_do_not_commute_are_an_assumption() -> None:
    """Marked before or after the drop that looks at the mark."""
    results = called(
        Function(priority=0, title="mark", run=marking(1)),
        Function(priority=0, title="drop", run=dropping(1)),
    )

    assert {result.ending is not None for result in results} == {True, False}
    assert {result.weight for result in results} == {None}
    assert all(any(step.kind is StepKind.ASSUMED for step in result.history or ()) for result in results)


def test_the_kernels_own_list_settles_the_order() -> None:
    """Where it can be read, there is nothing to assume."""
    results = called(
        Function(priority=0, title="mark", run=marking(1), rank=2),
        Function(priority=0, title="drop", run=dropping(1), rank=1),
    )

    assert [(result.ending, result.packet.mark) for result in results] == [(None, 1)]


def test_a_change_of_mark_asks_for_another_route_only_in_a_routing_chain() -> None:
    """A filter chain's mark does not move the packet."""
    by_filter = called(Function(priority=0, title="filter", run=marking(1)))
    by_mangle = called(
        Function(priority=-150, title="mangle", run=marking(1), reroutes=True),
        Function(priority=0, title="filter", run=marking(2)),
    )

    assert [result.verdict for result in by_filter] == ["accept"]
    assert [result.verdict for result in by_mangle] == ["reroute"]


def test_a_packet_without_another_way_ends_at_once() -> None:
    """Later chains never see it."""
    (result,) = called(
        Function(priority=-150, title="mangle", run=marking(1), reroutes=True),
        Function(priority=0, title="filter", run=dropping(1)),
        at=NOWHERE,
    )

    assert result.ending is not None
    assert result.ending.verdict is Verdict.NO_ROUTE


def test_the_way_goes_by_the_mark_of_the_routing_chain() -> None:
    """What a filter chain makes of it later is too late."""
    (result,) = called(
        Function(priority=-150, title="mangle", run=marking(1), reroutes=True),
        Function(priority=0, title="filter", run=marking(2)),
    )

    assert result.packet.mark == 2
    assert result.routed_as is not None
    assert result.routed_as.mark == 1


@pytest.mark.parametrize(
    ("flow", "expected"), [("10.0.0.1:1 10.0.0.2:80", "accept"), ("fd00::1:1 fd00::2:80", "reroute")]
)
def test_a_hop_limit_asks_for_another_route_of_ipv6_only(flow: str, expected: str) -> None:
    """As if the way went by it."""

    def run(_: Here, given: Packet, history: History | None) -> Outcomes:
        yield go_on(replace(given, ttl=33), history)

    mangle = Function(priority=-150, title="mangle", run=run, reroutes=True)
    own = WrittenState(
        devices=(LO, device(2, "eth0")), ways=(route("10.0.0.2/32 dev 2"), route("fd00::2/128 dev 2"))
    )

    (result,) = call_all(here(own), [mangle], go_on(packet(flow), None))

    assert result.verdict == expected


def test_a_mark_of_nat_moves_no_packet() -> None:
    """Only another destination does."""
    nat = Function(priority=-100, title="nat", run=marking(1), reroutes=True, by_destination=True)

    assert [result.verdict for result in called(nat)] == ["accept"]


def test_what_one_does_and_the_other_undoes_depends_on_the_order() -> None:
    """A packet that is as it was after one order need not be so after the other."""
    results = called(
        Function(priority=0, title="mark", run=marking(1)),
        Function(priority=0, title="clear", run=marking(0)),
    )

    assert {(result.packet.mark, result.weight) for result in results} == {(0, None), (1, None)}
