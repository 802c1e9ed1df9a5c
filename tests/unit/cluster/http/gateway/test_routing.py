"""What is refused, outranked or uncertain at a Gateway."""

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from kubectl_packetpath.cluster.http.backends import Problem
from kubectl_packetpath.cluster.http.decision import Backend, Decision, Fate, Result
from kubectl_packetpath.cluster.http.gateway.objects import (
    gateway_class_of,
    gateway_of,
    grant_of,
    route_of,
)
from kubectl_packetpath.cluster.http.gateway.routing import route_gateway
from kubectl_packetpath.cluster.http.gateway.streams import by_port
from kubectl_packetpath.cluster.http.gateway.world import GatewayManner, GatewayWorld
from kubectl_packetpath.cluster.http.request import request_of

Json = dict[str, Any]
TRUE = [{"type": "Accepted", "status": "True", "observedGeneration": 1}]
OWN = {"from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "infra"}]}


def listener(name: str = "http", port: int = 80, protocol: str = "HTTP", **given: Any) -> Json:
    """A listener."""
    return {"name": name, "port": port, "protocol": protocol} | given


def world(
    *rules: Json, listeners: Iterable[Json] = (), hosts: Iterable[str] = (), **spec: Any
) -> GatewayWorld:
    """A Gateway with one HTTPRoute, accepted by its controller."""
    meta = {"namespace": "infra", "name": "edge", "generation": 1}
    parent = {"name": "edge"}
    return GatewayWorld(
        gateway=gateway_of(
            {
                "metadata": meta,
                "spec": {"gatewayClassName": "c", "listeners": list(listeners) or [listener()]},
                "status": {"conditions": TRUE},
            }
        ),
        gateway_class=gateway_class_of({"metadata": {"name": "c"}, "spec": {"controllerName": "x.io/c"}}),
        routes=(
            route_of(
                {
                    "metadata": {"namespace": "infra", "name": "r", "generation": 1},
                    "spec": {"parentRefs": [parent], "hostnames": list(hosts), "rules": list(rules)} | spec,
                    "status": {
                        "parents": [{"parentRef": parent, "controllerName": "x.io/c", "conditions": TRUE}]
                    },
                },
                "HTTPRoute",
            ),
        ),
    )


def to(name: str, weight: int = 1, **given: Any) -> Json:
    """A backendRef."""
    return {"name": name, "port": 80, "weight": weight} | given


def ask(found: GatewayWorld, url: str = "http://x.test/") -> Decision:
    """A GET."""
    return route_gateway(request_of(url), found)


def test_nothing_is_said_where_all_is_well() -> None:
    """Notes are for what is wrong."""
    found = ask(world({"backendRefs": [to("a")]}))

    assert (found.notes, found.doubts) == ((), ())


def test_a_port_without_listener_refuses() -> None:
    """The listeners that there are, are named."""
    found = ask(world(), "http://x.test:81/")

    assert found.result is Result.REFUSED
    assert "80/HTTP" in found.reason


def test_plain_http_to_a_tls_port_is_refused() -> None:
    """And the other way round."""
    secure = world(listeners=[listener(port=443, protocol="HTTPS")])

    assert ask(secure, "http://x.test:443/").result is Result.REFUSED
    assert ask(world(), "https://x.test:80/").result is Result.REFUSED


@pytest.mark.parametrize(("host", "status"), [("b.test", 421), ("c.test", 404)])
def test_a_host_that_is_not_of_the_handshakes_listener_is_misdirected(host: str, status: int) -> None:
    """421 where another listener has it, else 404."""
    listeners = [listener(n, 443, "HTTPS", hostname=f"{n}.test") for n in ("a", "b")]

    found = route_gateway(
        request_of("https://a.test/", headers=(("Host", host),)), world(listeners=listeners)
    )

    assert found.status == status


def test_a_missing_backend_keeps_its_share_of_the_requests() -> None:
    """Half of them are answered with 500, as the specification says."""
    gone = Problem(text="there is no Service", status=503, missing=True)

    def problem(backend: Backend) -> Problem | None:
        return gone if backend.target.name == "gone" else None

    found = ask(replace(world({"backendRefs": [to("a"), to("gone")]}), problem_of=problem))

    assert [(each.weight, each.status) for each in found.shares] == [
        (Fraction(1, 2), None),
        (Fraction(1, 2), 500),
    ]
    assert found.result is Result.FORWARDED


def test_no_ready_endpoint_is_503() -> None:
    """Of a backend that exists."""
    gone = Problem(text="no endpoint is ready", status=503)

    found = ask(replace(world({"backendRefs": [to("a")]}), problem_of=lambda _: gone))

    assert (found.result, found.status) == (Result.ANSWERED, 503)


@pytest.mark.parametrize(
    ("rule", "why"), [({"backendRefs": [to("a", 0)]}, "all weights are 0"), ({}, "names no backend")]
)
def test_a_rule_without_backend_answers_500(rule: Json, why: str) -> None:
    """Nobody gets the request."""
    found = ask(world(rule))

    assert found.status == 500
    assert why in found.reason


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        (None, 500),
        (OWN | {"to": [{"group": "", "kind": "Service"}]}, None),
        (OWN | {"to": [{"group": "", "kind": "Service", "name": "a"}]}, None),
        (OWN | {"to": [{"group": "", "kind": "Service", "name": "other"}]}, 500),
        (OWN | {"to": [{"group": "", "kind": "Secret"}]}, 500),
        ({"from": [OWN["from"][0] | {"namespace": "else"}], "to": [{"group": "", "kind": "Service"}]}, 500),
        ({"from": [OWN["from"][0] | {"kind": "GRPCRoute"}], "to": [{"group": "", "kind": "Service"}]}, 500),
        ({"from": [OWN["from"][0] | {"group": ""}], "to": [{"group": "", "kind": "Service"}]}, 500),
    ],
)
def test_a_backend_in_another_namespace_needs_a_grant(spec: Json | None, status: int | None) -> None:
    """Of that namespace, for this kind of source and target (httproute-reference-grant, …-invalid-…)."""
    given = {"metadata": {"namespace": "web", "name": "g"}, "spec": spec}
    grants = () if spec is None else (grant_of(given),)

    found = ask(replace(world({"backendRefs": [to("a", namespace="web")]}), grants=grants))

    assert found.status == status


def test_a_grant_of_the_wrong_namespace_is_none() -> None:
    """The namespace that is referred to decides."""
    spec = OWN | {"to": [{"group": "", "kind": "Service"}]}
    grant = grant_of({"metadata": {"namespace": "infra", "name": "g"}, "spec": spec})

    found = ask(replace(world({"backendRefs": [to("a", namespace="web")]}), grants=(grant,)))

    assert "no ReferenceGrant in namespace web" in found.shares[0].problem


def test_grants_that_cannot_be_read_leave_a_doubt() -> None:
    """Neither allowed nor forbidden."""
    found = ask(replace(world({"backendRefs": [to("a", namespace="web")]}), grants=None))

    assert not found.is_certain


def test_a_selector_over_unknown_labels_leaves_it_undecided() -> None:
    """Namespaces could not be read."""
    allowed = {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"a": "b"}}}}

    found = ask(world({"backendRefs": [to("a")]}, listeners=[listener(allowedRoutes=allowed)]))

    assert found.result is Result.UNKNOWN
    assert [each.fate for each in found.considered] == [Fate.UNDECIDED]


@pytest.mark.parametrize(
    ("expression", "status"),
    [
        ({"key": "env", "operator": "In", "values": ["prod"]}, None),
        ({"key": "env", "operator": "NotIn", "values": ["prod"]}, 404),
        ({"key": "env", "operator": "Exists"}, None),
        ({"key": "env", "operator": "DoesNotExist"}, 404),
    ],
)
def test_expressions_of_a_selector(expression: Json, status: int | None) -> None:
    """As label selectors go everywhere."""
    allowed = {"namespaces": {"from": "Selector", "selector": {"matchExpressions": [expression]}}}
    found = world({"backendRefs": [to("a")]}, listeners=[listener(allowedRoutes=allowed)])

    assert ask(replace(found, labels={"infra": {"env": "prod"}})).status == status


def test_a_listener_may_name_the_kinds_that_it_takes() -> None:
    """As in httproute-disallowed-kind."""
    allowed = {"kinds": [{"kind": "GRPCRoute"}]}

    found = ask(world({"backendRefs": [to("a")]}, listeners=[listener(allowedRoutes=allowed)]))

    assert found.considered[0].why == "listener http (HTTP) takes GRPCRoute, not HTTPRoute"


def test_a_section_that_does_not_exist_is_told() -> None:
    """As in httproute-invalid-parentref-not-matching-section-name."""
    found = ask(world({"backendRefs": [to("a")]}, parentRefs=[{"name": "edge", "sectionName": "nope"}]))

    assert (found.status, found.considered[0].why) == (404, "the route names section nope")


def test_a_condition_that_is_false_is_told() -> None:
    """With the controller's own words."""
    given = world({"backendRefs": [to("a")]})
    bad = [
        {"type": "Programmed", "status": "False", "reason": "AddressNotAssigned", "message": "none is free"}
    ]
    gateway = gateway_of(
        {
            "metadata": {"namespace": "infra", "name": "edge"},
            "spec": {"listeners": [listener()]},
            "status": {"conditions": bad},
        }
    )

    found = ask(replace(given, gateway=gateway))

    assert found.notes == ("Gateway infra/edge is Programmed=False (AddressNotAssigned): none is free",)


def test_a_class_that_does_not_exist_is_told() -> None:
    """No controller serves such a Gateway."""
    found = ask(replace(world({"backendRefs": [to("a")]}), gateway_class=None))

    assert "names GatewayClass c, which does not exist" in found.notes[0]


@pytest.mark.parametrize(
    ("falls_through", "expected"), [(True, ("wide", True)), (None, ("wide", False)), (False, ("", True))]
)
def test_a_nearer_host_that_does_not_take_the_path(
    falls_through: bool | None, expected: tuple[str, bool]
) -> None:
    """The specification goes on to wider hosts; proxies that choose the host first do not."""
    near = world({"matches": [{"path": {"value": "/a"}}], "backendRefs": [to("near")]}, hosts=["x.test"])
    wide = world({"backendRefs": [to("wide")]}, hosts=["*.test"])
    both = replace(
        near, routes=(*near.routes, *wide.routes), manner=GatewayManner(falls_through=falls_through)
    )

    found = ask(both)

    assert expected == ("".join(each.backend.target.name for each in found.shares), found.is_certain)


def test_an_expression_beside_a_prefix_is_a_doubt() -> None:
    """The specification does not rank expressions."""
    rules = [
        {"matches": [{"path": {"type": kind, "value": value}}], "backendRefs": [to(kind.lower())]}
        for kind, value in (("RegularExpression", "/a.*"), ("PathPrefix", "/abc"))
    ]

    found = ask(world(*rules), "http://x.test/abc")

    assert "does not rank expressions" in found.doubts[0]
    assert ask(
        replace(world(*rules), manner=GatewayManner(expressions_rank=True)), "http://x.test/abc"
    ).is_certain


def test_without_isolation_another_listeners_route_may_take_it() -> None:
    """An optional feature of implementations, so its lack is a doubt where it matters."""
    given = world(
        {"backendRefs": [to("a")]},
        listeners=[listener("near", hostname="x.test"), listener("all")],
        parentRefs=[{"name": "edge", "sectionName": "all"}],
    )

    found = ask(given)

    assert found.status == 404
    assert "does not isolate listeners" in found.doubts[0]


def test_the_older_route_wins_and_then_the_name() -> None:
    """Where all else is equal."""
    one = world({"backendRefs": [to("one")]})
    (route,) = one.routes
    routes = (
        replace(route, name="b", created="2024-01-02T00:00:00Z"),
        replace(route, name="c", created="2024-01-01T00:00:00Z"),
        replace(route, name="a", created="2024-01-02T00:00:00Z"),
    )

    found = ask(replace(one, routes=routes))

    assert [(each.source.name, each.fate) for each in found.considered] == [
        ("c", Fate.CHOSEN),
        ("a", Fate.OUTRANKED),
        ("b", Fate.OUTRANKED),
    ]


def test_a_tcp_route_takes_what_comes_to_its_port() -> None:
    """And a port without listener refuses."""
    given = world(listeners=[listener("tcp", 5432, "TCP")])
    parent = {"name": "edge"}
    meta = {"namespace": "infra", "name": "db"}
    spec = {"parentRefs": [parent], "rules": [{"backendRefs": [to("db")]}]}
    given = replace(given, routes=(route_of({"metadata": meta, "spec": spec}, "TCPRoute"),))

    assert [each.backend.target.name for each in by_port(given, 5432, "TCP").shares] == ["db"]
    assert by_port(given, 5433, "TCP").result is Result.REFUSED
