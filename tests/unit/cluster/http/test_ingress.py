"""What the specification leaves open, and why rules do not match."""

import pytest

from kubectl_packetpath.cluster.http.backends import Problem
from kubectl_packetpath.cluster.http.decision import Backend, Decision, Fate, Reference, Result
from kubectl_packetpath.cluster.http.ingress import route_ingress
from kubectl_packetpath.cluster.http.manner import Conflict, Fallback, Manner, MissingService, PathManner
from kubectl_packetpath.cluster.http.model import Ingress, IngressPath, IngressRule
from kubectl_packetpath.cluster.http.request import request_of


def to(name: str) -> Backend:
    """A Service's port."""
    return Backend(target=Reference(kind="Service", namespace="shop", name=name), port="80")


def ingress(
    name: str, *rules: tuple[str, str, str, str], created: str = "2024-01-01T00:00:00Z", default: str = ""
) -> Ingress:
    """An Ingress of rules (host, type, path, service)."""
    return Ingress(
        namespace="shop",
        name=name,
        created=created,
        default_backend=to(default) if default else None,
        rules=tuple(
            IngressRule(host=host, paths=(IngressPath(path=path, type=kind, backend=to(service)),))
            for host, kind, path, service in rules
        ),
    )


def service(found: Decision) -> str:
    """Where a request goes."""
    return found.shares[0].backend.target.name if found.shares else f"status {found.status}"


def whys(found: Decision, fate: Fate) -> list[str]:
    """The reasons for one fate."""
    return [each.why for each in found.considered if each.fate is fate]


def test_every_rule_that_does_not_match_says_why() -> None:
    """A wrong host and a wrong path are different mistakes."""
    world = [ingress("a", ("x.test", "Prefix", "/", "x"), ("y.test", "Exact", "/cart", "y"))]

    found = route_ingress(request_of("http://y.test/other"), world)

    assert whys(found, Fate.NOT_MATCHED) == [
        "the host is y.test",
        "/other does not match, compared exactly",
    ]


def test_a_wildcard_says_that_it_covers_one_label() -> None:
    """The most surprising of the mismatches."""
    found = route_ingress(request_of("http://a.b.x.test"), [ingress("a", ("*.x.test", "Prefix", "/", "x"))])

    assert whys(found, Fate.NOT_MATCHED) == [
        "the wildcard stands for one label only, and a.b.x.test has more"
    ]


def test_the_same_path_in_two_ingresses_is_a_doubt() -> None:
    """The specification does not say who wins."""
    world = [ingress("a", ("x.test", "Prefix", "/", "one")), ingress("b", ("x.test", "Prefix", "/", "two"))]

    found = route_ingress(request_of("http://x.test"), world)

    assert not found.is_certain
    assert "both claim x.test / (Prefix)" in found.doubts[0]


def test_the_older_ingress_wins_where_the_controller_says_so() -> None:
    """Age decides, not the name."""
    world = [
        ingress("a", ("x.test", "Prefix", "/", "new"), created="2024-02-01T00:00:00Z"),
        ingress("b", ("x.test", "Prefix", "/", "old"), created="2024-01-01T00:00:00Z"),
    ]

    found = route_ingress(request_of("http://x.test"), world, lambda _: Manner(conflict=Conflict.OLDEST))

    assert (service(found), found.is_certain) == ("old", True)


def test_paths_of_several_ingresses_with_one_host_are_one_list() -> None:
    """The longest path wins across them."""
    world = [ingress("a", ("x.test", "Prefix", "/", "root")), ingress("b", ("x.test", "Prefix", "/b", "b"))]

    assert service(route_ingress(request_of("http://x.test/b/c"), world)) == "b"


@pytest.mark.parametrize(
    ("manner", "path", "request_path", "expected"),
    [
        (PathManner.STRING, "/foo", "/foobar", "s"),
        (PathManner.EXACT, "/foo", "/foo/bar", "status 404"),
        (PathManner.PREFIX, "/foo", "/foobar", "status 404"),
        (PathManner.REGEX, "/v[0-9]+/.*", "/v12/x", "s"),
        (PathManner.REGEX, "/v[0-9]+", "/v12/x", "status 404"),
        (PathManner.ANCHORED, "/v[0-9]+", "/v12/x", "s"),
        (PathManner.STAR, "/img/*", "/img/a/b.png", "s"),
        (PathManner.STAR, "/img/*", "/img", "status 404"),
    ],
)
def test_an_implementation_specific_path_is_as_the_controller_takes_it(
    manner: PathManner, path: str, request_path: str, expected: str
) -> None:
    """Each controller has its own way."""
    world = [ingress("a", ("x.test", "ImplementationSpecific", path, "s"))]

    found = route_ingress(
        request_of(f"http://x.test{request_path}"), world, lambda _: Manner(own_paths=manner)
    )

    assert expected == service(found)


def test_an_implementation_specific_path_of_an_unknown_controller_is_unknown() -> None:
    """Neither a match nor none."""
    world = [ingress("a", ("x.test", "ImplementationSpecific", "/foo", "s"))]

    found = route_ingress(request_of("http://x.test/foo"), world)

    assert found.result is Result.UNKNOWN
    assert whys(found, Fate.UNDECIDED)


@pytest.mark.parametrize("pattern", ["(a+)+b", "[", "x" * 1000])
def test_an_expression_that_cannot_be_tried_is_unknown(pattern: str) -> None:
    """Repeats of repeats may take for ever, and others are not valid here."""
    world = [ingress("a", ("x.test", "ImplementationSpecific", pattern, "s"))]

    found = route_ingress(request_of("http://x.test/a"), world, lambda _: Manner(own_paths=PathManner.REGEX))

    assert found.result is Result.UNKNOWN


@pytest.mark.parametrize(
    ("fallback", "expected"),
    [
        (Fallback.DEFAULT_BACKEND, "default"),
        (Fallback.NOT_FOUND, "status 404"),
        (Fallback.WIDER_HOSTS, "wide"),
    ],
)
def test_a_known_host_without_the_path(fallback: Fallback, expected: str) -> None:
    """Controllers differ in what is tried next."""
    world = [
        ingress("a", ("x.test", "Prefix", "/a", "a"), ("", "Prefix", "/", "wide")),
        ingress("d", default="default"),
    ]

    found = route_ingress(request_of("http://x.test/b"), world, lambda _: Manner(fallback=fallback))

    assert expected == service(found)


def test_a_default_backend_beside_rules_may_serve_their_hosts_only() -> None:
    """As ingress-nginx does."""
    world = [ingress("a", ("x.test", "Prefix", "/a", "a"), default="fallback")]

    found = [
        service(route_ingress(request_of(url), world, lambda _: Manner(default_by_host=True)))
        for url in ("http://x.test/b", "http://other.test/b")
    ]

    assert found == ["fallback", "status 404"]


@pytest.mark.parametrize(
    ("missing", "expected"),
    [(MissingService.UNAVAILABLE, ("gone", 503)), (MissingService.SKIPPED, ("root", None))],
)
def test_a_rule_without_service_is_unavailable_or_left_out(
    missing: MissingService, expected: tuple[str, int | None]
) -> None:
    """Some controllers answer 503, others do not program the rule."""
    world = [ingress("a", ("x.test", "Prefix", "/", "root"), ("x.test", "Prefix", "/b", "gone"))]

    def problem(backend: Backend) -> Problem | None:
        gone = Problem(text="there is none", status=503, missing=True)
        return gone if backend == to("gone") else None

    found = route_ingress(
        request_of("http://x.test/b"), world, lambda _: Manner(missing_service=missing), problem
    )

    assert expected == (service(found), found.status)
