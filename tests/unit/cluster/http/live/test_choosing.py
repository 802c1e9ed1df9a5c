"""Which route of Envoy's configuration takes a request, as Envoy's documentation says."""

from dataclasses import replace
from typing import Any

import pytest
from unit.cluster.http.live.shop import ANY, PROXY, loaded, route

from kubectl_packetpath.cluster.http.live.choosing import Found, choose, listeners_on, matches
from kubectl_packetpath.cluster.http.live.model import Condition, Listening, Match, RouteTable, VirtualHost
from kubectl_packetpath.cluster.http.request import HttpRequest

HTTP = Listening(name="ingress_http", address=ANY, port=8080)
ASKED = HttpRequest(
    host="x.test", path="/cart/1", headers=(("version", "two"),), query=(("a", "b"),), method="POST"
)


def header(how: str, value: str = "", name: str = "version", **given: Any) -> Condition:
    """A condition of a header."""
    return Condition(place="header", name=name, how=how, value=value, **given)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("path", "/cart/1", True),
        ("path", "/cart", False),
        ("prefix", "/car", True),
        ("prefix", "/Cart", False),
        ("path_separated_prefix", "/cart", True),
        ("path_separated_prefix", "/car", False),
        ("safe_regex", "", None),
    ],
)
def test_paths(kind: str, value: str, expected: bool | None) -> None:
    """Elements count only where the route says so, and expressions are Envoy's own."""
    assert matches(Match(kind=kind, value=value), ASKED) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (header("exact", "two"), True),
        (header("exact", "one"), False),
        (header("exact", "one", inverted=True), True),
        (header("prefix", "t"), True),
        (header("suffix", "o"), True),
        (header("contains", "w"), True),
        (header("present"), True),
        (header("present", name="other"), False),
        (header("exact", "POST", ":method"), True),
        (header("exact", "x.test", ":authority"), True),
        (header("one label and", ".test", ":authority"), True),
        (header("one label and", "x.test", ":authority"), False),
        (header("exact", "x", ":scheme"), None),
        (header("safe_regex", "t.*"), None),
        (Condition(place="query", name="a", how="exact", value="b"), True),
        (Condition(place="query", name="c", how="present"), False),
    ],
)
def test_headers_and_parameters(condition: Condition, expected: bool | None) -> None:
    """None: Envoy alone knows."""
    assert matches(Match(kind="prefix", value="/", conditions=(condition,)), ASKED) is expected


def test_what_is_not_understood_matters_only_where_the_rest_matches() -> None:
    """Nothing is guessed, and nothing is doubted without need."""
    assert matches(Match(kind="prefix", value="/cart", more=("grpc",)), ASKED) is None
    assert matches(Match(kind="prefix", value="/other", more=("grpc",)), ASKED) is False


@pytest.mark.parametrize(
    ("domains", "chosen"),
    [
        (("*", "x.test"), "x.test"),
        (("*", "*.test"), "*.test"),
        (("*est", "*.test", "*x.test"), "*.test"),
        (("x.*", "*.test"), "*.test"),
        (("X.TEST",), "X.TEST"),
        (("y.test", "*.x.test"), None),
    ],
)
def test_the_nearest_domain_is_looked_at(domains: tuple[str, ...], chosen: str | None) -> None:
    """Exact, then by the end, then by the beginning, then any."""
    hosts = tuple(
        VirtualHost(domains=(name,), routes=(route(Match(kind="prefix", value="/"), (name, 1)),))
        for name in domains
    )
    found = choose(loaded(tables=(RouteTable(name="ingress_http", hosts=hosts),)), HTTP, ASKED)

    assert (found.route.clusters[0][0] if found.route else None) == chosen


def test_the_first_route_that_matches_is_taken() -> None:
    """Though a later one is longer."""
    first, later = route(Match(kind="prefix", value="/")), route(Match(kind="prefix", value="/cart"))

    assert choose(loaded(first, later), HTTP, ASKED).route is first


def test_nothing_is_said_beyond_a_route_that_is_not_understood() -> None:
    """It may take the request."""
    unknown = route(Match(kind="safe_regex"))

    assert choose(loaded(unknown, route()), HTTP, ASKED).found is Found.UNDECIDED


@pytest.mark.parametrize("path", ["/a//b", "/a/../b", "/%61", "/a\\b"])
def test_nothing_is_said_of_a_path_that_is_changed_first(path: str) -> None:
    """How, its settings say, which are not read."""
    assert choose(loaded(), HTTP, replace(ASKED, path=path)).found is Found.UNDECIDED


@pytest.mark.parametrize("name", ["https/x.test", "https/*.test", "https/*"])
def test_with_tls_each_host_has_a_table(name: str) -> None:
    """As Contour names them."""
    https = Listening(name="ingress_https", address=ANY, port=8443)
    host = VirtualHost(domains=("x.test",), routes=(route(),))

    found = choose(
        loaded(tables=(RouteTable(name=name, hosts=(host,)),)), https, replace(ASKED, scheme="https")
    )

    assert (found.found, found.table) == (Found.ROUTE, name)


def test_a_listener_on_the_loopback_takes_nothing_from_outside() -> None:
    """Only one on all addresses, or on the pod's own."""
    found = loaded(
        listeners=(
            HTTP,
            replace(HTTP, name="own", address=PROXY.addresses[0]),
            replace(HTTP, name="loopback", address=type(ANY)("127.0.0.1")),
            replace(HTTP, name="elsewhere", port=1),
        )
    )

    assert [each.name for each in listeners_on(found, 8080, PROXY.addresses)] == ["ingress_http", "own"]
