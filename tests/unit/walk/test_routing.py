"""Routing decisions that are easier to read here than in a namespace."""

from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address, ip_network
from typing import cast

import pytest
from unit.walk.states import LO, RULES, WrittenState, device, owned, route

from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.routing import RTNH_F_DEAD, NextHop, NexthopObject, PolicyRule, Route
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.walk.routing import RouteQuery, address_type, fib_lookup
from kubectl_packetpath.walk.tables import NotReadable, tables_of

ETH0, ETH1 = device(2, "eth0"), device(3, "eth1")


def state_of(*routes: str, policies: tuple[PolicyRule, ...] = RULES) -> NamespaceState:
    """A namespace with two devices and these routes."""
    written = WrittenState(
        devices=(LO, ETH0, ETH1), ways=tuple(route(text) for text in routes), policies=policies
    )
    return cast(NamespaceState, written)


def query(destination: str, **more: object) -> RouteQuery:
    """A question about this destination."""
    return RouteQuery(destination=ip_address(destination), **more)  # type: ignore[arg-type]


def test_the_longest_prefix_wins_then_the_smallest_metric() -> None:
    """More specific before cheaper."""
    state = state_of(
        "default via 10.0.0.1 dev 2", "10.9.0.0/16 dev 3 metric 200", "10.9.0.0/16 dev 2 metric 300"
    )

    (way,) = fib_lookup(state, query("10.9.1.1"))

    assert (way.device, way.prefix_length) == (ETH1, 16)


def test_a_multipath_route_forks_by_weight() -> None:
    """Three flows of four go by the heavier hop."""
    hops = (NextHop(device=2, weight=3), NextHop(device=3, weight=1))
    state = cast(
        NamespaceState,
        WrittenState(devices=(LO, ETH0, ETH1), ways=(Route(destination=ip_network("0.0.0.0/0"), hops=hops),)),
    )

    ways = fib_lookup(state, query("10.9.1.1"))

    assert [(way.device, way.weight) for way in ways] == [(ETH0, Fraction(3, 4)), (ETH1, Fraction(1, 4))]


def test_a_dead_hop_takes_no_share() -> None:
    """What is left has all the weight."""
    hops = (NextHop(device=2, weight=3, flags=RTNH_F_DEAD), NextHop(device=3, weight=1))
    default = Route(destination=ip_network("0.0.0.0/0"), hops=hops)
    state = cast(NamespaceState, WrittenState(devices=(LO, ETH0, ETH1), ways=(default,)))

    assert [(way.device, way.weight) for way in fib_lookup(state, query("10.9.1.1"))] == [(ETH1, Fraction(1))]


def test_a_next_hop_group_forks_by_weight() -> None:
    """Next hop objects are followed to their members."""
    members = (NexthopObject(id=1, hop=NextHop(device=2)), NexthopObject(id=2, hop=NextHop(device=3)))
    group = NexthopObject(id=9, group=((1, 1), (2, 2)))
    default = Route(destination=ip_network("0.0.0.0/0"), nexthop_id=9)
    written = WrittenState(devices=(LO, ETH0, ETH1), ways=(default,), objects=(*members, group))

    ways = fib_lookup(cast(NamespaceState, written), query("10.9.1.1"))

    assert [way.weight for way in ways] == [Fraction(1, 3), Fraction(2, 3)]


def test_throw_goes_on_to_the_next_rule() -> None:
    """The table says that it does not want to answer."""
    policies = (*RULES, PolicyRule(family=4, priority=100, table=100))
    state = state_of("throw 10.0.0.0/8 table 100", "default dev 2", policies=policies)

    assert [way.device for way in fib_lookup(state, query("10.9.1.1"))] == [ETH0]


@pytest.mark.parametrize(("mark", "expected"), [(0x200, "eth1"), (0x201, "eth1"), (0x100, "eth0")])
def test_a_mark_chooses_the_table(mark: int, expected: str) -> None:
    """Only the bits under the mask count."""
    policies = (*RULES, PolicyRule(family=4, priority=9, table=100, mark=0x200, mask=0xF00))
    state = state_of("default dev 2", "default dev 3 table 100", policies=policies)

    (way,) = fib_lookup(state, query("10.9.1.1", mark=mark))

    assert way.device is not None
    assert way.device.name == expected


def test_nothing_matches() -> None:
    """No route is an answer of its own."""
    assert [way.type for way in fib_lookup(state_of(), query("10.9.1.1"))] == ["none"]


@pytest.mark.parametrize(
    ("source", "expected"), [(None, "none"), ("fd00:1::1", "unicast"), ("fd00:2::1", "none")]
)
def test_an_ipv6_route_may_be_for_some_sources_only(source: str | None, expected: str) -> None:
    """A packet that has none yet is not among them."""
    narrow = replace(route("fd00:5::/64 via fd00:1::2 dev 2"), source=ip_network("fd00:1::/64"))
    state = cast(NamespaceState, WrittenState(devices=(LO, ETH0), ways=(narrow,)))

    (way,) = fib_lookup(state, query("fd00:5::1", source=ip_address(source) if source else None))

    assert way.type == expected


def test_tables_that_the_kernel_may_have_merged_are_an_assumption() -> None:
    """Before the first `ip rule`, a longer prefix of main beats a shorter one of local."""
    state = state_of("local 10.0.0.0/8 dev 1", "10.9.0.0/16 dev 2")

    (way,) = fib_lookup(state, query("10.9.1.1"))

    assert way.weight is None
    assert "merged" in way.assumed[0]


def test_a_vrf_asks_its_own_table() -> None:
    """The l3mdev rule leads devices of a VRF to the VRF's table."""
    vrf = device(9, "red", kind="vrf", vrf_table=77)
    member = replace(ETH0, master=9)
    l3mdev = PolicyRule(family=4, priority=1000, l3mdev=True)
    written = WrittenState(
        devices=(LO, member, ETH1, vrf), ways=(route("default dev 3 table 77"),), policies=(*RULES, l3mdev)
    )

    assert fib_lookup(cast(NamespaceState, written), query("10.9.1.1", iif=member))[0].device == ETH1
    assert fib_lookup(cast(NamespaceState, written), query("10.9.1.1", iif=ETH1))[0].type == "none"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.0.0.1", "LOCAL"),
        ("10.0.0.255", "BROADCAST"),
        ("10.0.0.9", "UNICAST"),
        ("224.0.0.1", "MULTICAST"),
        ("0.0.0.0", "BROADCAST"),
        ("fd00::1", "LOCAL"),
        ("fd00::9", "UNICAST"),
        ("fd01::9", "UNREACHABLE"),
        ("ff02::1", "MULTICAST"),
    ],
)
def test_address_types(address: str, expected: str) -> None:
    """IPv4 asks the local table alone, IPv6 all of routing."""
    state = state_of(
        "local 10.0.0.1/32 dev 2",
        "broadcast 10.0.0.255/32 dev 2",
        "local fd00::1/128 dev 2",
        "fd00::/64 dev 2",
    )

    assert address_type(state, ip_address(address)) == expected


def test_an_address_of_another_device_is_not_local_to_this_one() -> None:
    """`--limit-iface-in` and `fib daddr . iif type` ask so."""
    state = state_of("local 10.0.0.1/32 dev 2")

    assert address_type(state, ip_address("10.0.0.1"), ETH1) == "UNICAST"
    assert address_type(state, ip_address("10.0.0.1"), ETH0) == "LOCAL"


def test_unreadable_routes_are_no_empty_table() -> None:
    """Without routes there is no answer, rather than `no route`."""
    written = WrittenState()
    written.ways = Absent(why=Why.NOT_PERMITTED)  # type: ignore[assignment]

    with pytest.raises(NotReadable, match="routes could not be read: not_permitted"):
        fib_lookup(cast(NamespaceState, written), query("10.9.1.1"))


def test_the_index_is_made_once_for_a_state() -> None:
    """A lookup must not sort 10,000 routes each time."""
    written = WrittenState(devices=(LO, ETH0), owned=(owned(2, "10.0.0.1/24"),))

    assert tables_of(cast(NamespaceState, written)) is tables_of(cast(NamespaceState, written))


@pytest.mark.parametrize("target", [5, 10, 99])
def test_a_goto_leads_only_forward(target: int) -> None:
    """The kernel takes no other; a recording that has one is no reason to walk in circles."""
    jump = PolicyRule(family=4, priority=10, action="goto", goto=target)
    before = PolicyRule(family=4, priority=5, table=200)
    state = state_of("default via 10.0.0.1 dev 2", policies=(before, jump, *RULES[1:]))

    (way,) = fib_lookup(state, query("10.9.1.1"))

    assert way.device == ETH0
