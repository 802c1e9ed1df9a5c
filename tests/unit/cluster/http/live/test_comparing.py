"""What an Envoy has loaded, against what the objects promise."""

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from unit.cluster.http.live.shop import PROXY, WEB, loaded, route, world

from kubectl_packetpath.cluster.http.decision import Reference
from kubectl_packetpath.cluster.http.live.comparing import compare
from kubectl_packetpath.cluster.http.live.drift import Parting, View
from kubectl_packetpath.cluster.http.live.model import (
    Loaded,
    LoadedCluster,
    LoadedRoute,
    Match,
    Member,
    RouteTable,
)

OTHER = LoadedCluster(name="default/old/80/x", source="default/old/http")


def view(found: Loaded, *paths: str, **given: Any) -> View:
    """What is found of a request for /."""
    plan, cluster = world(*(paths or ("/",)), **given)
    return compare(plan, cluster, PROXY, found)


def partings(found: View) -> list[tuple[Parting, str]]:
    """What differs, and what becomes of the request."""
    return [(each.parting, each.family) for each in found.drifts]


def members(*places: tuple[int, tuple[str, ...]]) -> tuple[LoadedCluster, ...]:
    """The Service's cluster with these hosts."""
    hosts = tuple(
        Member(address=ip_address(f"10.244.{number}.3"), port=8080, flags=flags) for number, flags in places
    )
    return (LoadedCluster(name=WEB, source="default/web/http", members=hosts),)


def test_what_the_objects_say_is_loaded() -> None:
    """A listener, a route, and the ready endpoints."""
    assert view(loaded()).agrees


def test_without_a_listener_nobody_is_there() -> None:
    """It is named with those that are there."""
    found = view(loaded(listeners=()))

    assert partings(found) == [(Parting.NO_LISTENER, "lost")]
    assert "no listener for port 8080, where requests to port 80 are sent" in found.drifts[0].message


@pytest.mark.parametrize(
    "found",
    [
        loaded(tables=()),
        loaded(tables=(RouteTable(name="ingress_http"),)),
        loaded(route(Match(kind="path", value="/other"))),
    ],
)
def test_without_a_route_it_answers_404(found: Loaded) -> None:
    """Be it the table, the host or the path that is missing."""
    assert partings(view(found)) == [(Parting.NO_ROUTE, "lost")]


@pytest.mark.parametrize(
    "other",
    [
        route(None, ("default/old/80/x", 1)),
        route(None, (WEB, 1), ("default/old/80/x", 1)),
        route(does="redirect", clusters=()),
        route(does="direct_response", clusters=(), status=503),
    ],
)
def test_another_route_is_a_rule_of_yesterday(other: LoadedRoute) -> None:
    """Whatever it does instead."""
    found = view(loaded(other, clusters=(*loaded().clusters, OTHER)))

    assert partings(found) == [(Parting.OTHER_ROUTE, "lost")]
    assert "made from Ingress default/i" in found.drifts[0].message


def test_a_route_of_an_object_that_is_not_read_is_not_certainly_wrong() -> None:
    """Contour's HTTPProxies come before Ingresses."""
    origin = Reference(kind="HTTPProxy", namespace="default", name="p")

    assert partings(view(loaded(route(None, ("other", 1), origin=origin)))) == [
        (Parting.OTHER_ROUTE, "unknown")
    ]


@pytest.mark.parametrize(("kind", "expected"), [("Ingress", 1), ("HTTPProxy", 0), ("HTTPRoute", 0)])
def test_a_route_that_should_not_be_there(kind: str, expected: int) -> None:
    """Only if it was made from objects of the kind that was looked at: others were not asked about."""
    origin = Reference(kind=kind, namespace="default", name="gone")

    found = view(loaded(route(origin=origin)), "/other")

    assert (len(found.drifts), bool(found.undecided)) == (expected, not expected)


def test_an_endpoint_of_yesterday_makes_it_uncertain() -> None:
    """Requests go to it, and whether anybody answers is not known."""
    found = view(loaded(clusters=members((1, ()), (2, ()), (3, ()), (9, ()))))

    assert partings(found) == [(Parting.OTHER_ENDPOINTS, "unknown")]
    assert "still sends to 10.244.9.3:8080, which is no ready endpoint" in found.drifts[0].message


def test_an_endpoint_that_it_does_not_know_gets_nothing() -> None:
    """Requests arrive at the others."""
    found = view(loaded(clusters=members((1, ()), (2, ()))))

    assert partings(found) == [(Parting.OTHER_ENDPOINTS, "")]
    assert "does not know 10.244.3.3:8080 (default/web-3)" in found.drifts[0].message


def test_without_any_host_it_answers_503() -> None:
    """Though endpoints are ready."""
    assert partings(view(loaded(clusters=members()))) == [(Parting.OTHER_ENDPOINTS, "lost")]


@pytest.mark.parametrize(("avoided", "family"), [((1,), ""), ((1, 2, 3), "unknown")])
def test_an_endpoint_that_it_ejected_is_named(avoided: tuple[int, ...], family: str) -> None:
    """With Envoy's own word for the reason."""
    flags = dict.fromkeys(avoided, ("failed_outlier_check",))
    found = view(loaded(clusters=members(*((n, flags.get(n, ())) for n in (1, 2, 3)))))

    assert partings(found) == [(Parting.AVOIDED, family)]
    assert found.drifts[0].message.endswith("failed_outlier_check")


def test_what_is_not_decided_is_not_held_against_it() -> None:
    """No difference, and no agreement either."""
    found = view(loaded(route(Match(kind="safe_regex"))))

    assert (found.drifts, found.agrees) == ((), False)
    assert "safe_regex" in found.undecided


def test_a_service_that_sends_to_a_port_of_an_unknown_name() -> None:
    """Then it is not known which listener takes the request."""
    plan, cluster = world("/")
    (edge,) = plan.entrance.services
    ports = tuple(replace(each, target_port="nope") for each in edge.ports)
    other = replace(plan, entrance=replace(plan.entrance, services=(replace(edge, ports=ports),)))

    assert "is not known" in compare(other, cluster, PROXY, loaded()).undecided
