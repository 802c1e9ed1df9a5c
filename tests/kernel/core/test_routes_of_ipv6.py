"""Where IPv6 looks for a way otherwise than its tables read: routes for some sources, and next hop objects."""

from ipaddress import ip_address

import pytest
from kernel.core.router import here_of, kernel_answer, namespace, one_processor, said
from kernel.iproute import IprouteState

from kubectl_packetpath.packet import TCP, Packet
from kubectl_packetpath.walk.input_route import route_input
from kubectl_packetpath.walk.output_route import route_output
from testbed.netns import Namespace, succeed

pytestmark = pytest.mark.kernel
__all__ = ["namespace", "one_processor"]


def answers_of(namespace: Namespace, *lines: str, to: str, source: str = "::") -> tuple[str, set[str], bool]:
    """The gateway that the kernel names (or its error), those of the walk (or its types of route), and whether it is certain."""
    for line in lines:
        succeed(["ip", "-6", "-n", namespace.name, *line.split()])
    packet = Packet(source=ip_address(source), destination=ip_address(to), protocol=TCP, sport=5000, dport=80)
    answer = kernel_answer(namespace, packet, "" if source == "::" else f"from {source} iif d0")
    here = here_of(namespace)
    link = next(each for each in IprouteState(namespace.name).links() if each.name == "d0")
    walked = route_output(here, packet) if source == "::" else route_input(here, packet, link)
    ways = [each.way for each in walked if each.way is not None]
    told = answer if isinstance(answer, str) else said(answer)[1]
    return told, {str(way.gateway or way.type) for way in ways}, not any(way.assumed for way in ways)


def test_a_route_for_some_sources_hides_the_one_for_all(namespace: Namespace) -> None:
    """Of the very same prefix, for sources that it does not want; where its own sources find no way, it does not."""
    lines = (
        "route add default via fd00:1::9",
        "route add blackhole fd44::/64",
        "route add fd44::/64 from fd55::/64 via fd00::9",
    )

    told = answers_of(namespace, *lines, to="fd44::1", source="fd66::1")
    wanted = answers_of(namespace, to="fd44::1", source="fd55::1")

    assert told == ("fd00:1::9", {"fd00:1::9"}, True)
    assert wanted == ("fd00::9", {"fd00::9"}, True)


def test_a_default_route_for_some_sources_hides_none(namespace: Namespace) -> None:
    """The root of the table is the last thing that the kernel looks at."""
    lines = ("route add default via fd00:1::9", "route add default from fd55::/64 via fd00::9")

    assert answers_of(namespace, *lines, to="fd44::1", source="fd66::1") == ("fd00:1::9", {"fd00:1::9"}, True)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("blackhole", "Invalid argument"),
        ("unreachable", "No route to host"),
        ("prohibit", "Permission denied"),
    ],
)
def test_what_rejects_is_not_suppressed(namespace: Namespace, kind: str, error: str) -> None:
    """However short its prefix."""
    lines = (
        "route add default via fd00:1::9",
        f"route add {kind} default table 100",
        "rule add pref 100 lookup 100 suppress_prefixlength 12",
    )

    told, _, certain = answers_of(namespace, *lines, to="fd44::1", source="fd66::1")
    (decision,) = route_input(
        here_of(namespace),
        Packet(
            source=ip_address("fd66::1"),
            destination=ip_address("fd44::1"),
            protocol=TCP,
            sport=5000,
            dport=80,
        ),
        next(each for each in IprouteState(namespace.name).links() if each.name == "d0"),
    )

    assert (told, certain) == (error, True)
    assert decision.ending is not None
    assert kind in decision.ending.reason


@pytest.mark.parametrize("first", ["fd44::1", "fd99::1"])
def test_routes_that_share_a_next_hop_object_share_what_the_kernel_keeps(
    namespace: Namespace, first: str
) -> None:
    """Their prefix's length, for `suppress_prefixlength`: who asked first decides, and the walk tells both ways."""
    lines = (
        "nexthop add id 1 via fd00::9 dev d0",
        "route add fd44::/64 nhid 1",
        "route add default nhid 1",
        "route add default via fd00:1::9 table 200",
        "rule add pref 100 lookup main suppress_prefixlength 0",
        "rule add pref 101 lookup 200",
    )
    both = {"fd00::9", "fd00:1::9"}
    answers_of(namespace, *lines, to=first)

    kept = {answers_of(namespace, to=each)[0] for each in ("fd44::1", "fd99::1")}

    assert kept == {"fd00::9" if first == "fd44::1" else "fd00:1::9"}
    assert answers_of(namespace, to="fd44::1")[1:] == (both, False)


@pytest.mark.parametrize(("first", "second"), [("low", "high"), ("medium", "high"), ("low", "medium")])
def test_the_preference_of_a_router_decides_between_routes_of_one_metric(
    namespace: Namespace, first: str, second: str
) -> None:
    """Where they are not next hops of one route; the first that was added wins otherwise."""
    lines = (
        "nexthop add id 1 via fd00::9 dev d0",
        "nexthop add id 2 via fd00:1::9 dev d1",
        f"route append fd44::/64 nhid 1 metric 50 pref {first}",
        f"route append fd44::/64 nhid 2 metric 50 pref {second}",
        "route append fd99::/64 nhid 1 metric 50",
        "route append fd99::/64 nhid 2 metric 50",
    )

    assert answers_of(namespace, *lines, to="fd44::1") == ("fd00:1::9", {"fd00:1::9"}, True)
    assert answers_of(namespace, to="fd99::1") == ("fd00::9", {"fd00::9"}, True)


def test_they_share_the_source_too(namespace: Namespace) -> None:
    """The walk says that it may be another."""
    lines = (
        "nexthop add id 1 via fd00::9 dev d0",
        "route add fd44::/64 nhid 1 src fd00:1::1",
        "route add fd99::/64 nhid 1",
    )
    answers_of(namespace, *lines, to="fd44::1")
    packet = Packet(
        source=ip_address("::"), destination=ip_address("fd99::1"), protocol=TCP, sport=5000, dport=80
    )

    answer = kernel_answer(namespace, packet)

    assert not isinstance(answer, str)
    assert answer["prefsrc"] == "fd00:1::1"
    assert answers_of(namespace, to="fd99::1")[1:] == ({"fd00::9"}, False)
