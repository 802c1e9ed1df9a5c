"""A request at one controller, with what its documentation says."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from builders import cluster, service

from kubectl_packetpath.cluster.http.applied import Applied, applied
from kubectl_packetpath.cluster.http.classes import by_controller, serving
from kubectl_packetpath.cluster.http.controllers.base import Reach
from kubectl_packetpath.cluster.http.decision import Result
from kubectl_packetpath.cluster.http.model import IngressClass
from kubectl_packetpath.cluster.http.objects import class_of, ingress_of
from kubectl_packetpath.cluster.http.request import request_of
from kubectl_packetpath.cluster.model import Service

CONTROLLERS = {
    "nginx": "k8s.io/ingress-nginx",
    "contour": "projectcontour.io/contour",
    "traefik": "traefik.io/ingress-controller",
    "alb": "ingress.k8s.aws/alb",
    "other": "example.com/ingress",
}
CLASSES = [IngressClass(name=name, controller=controller) for name, controller in CONTROLLERS.items()]
NGINX = "nginx.ingress.kubernetes.io"


def ingress(kind: str, *rules: tuple[str, str, str], name: str = "i", **given: Any) -> dict[str, Any]:
    """An Ingress of a class; rules are (host, path, service)."""
    spec = {
        "ingressClassName": kind,
        "tls": given.get("tls", []),
        "rules": [
            {
                "host": host,
                "http": {
                    "paths": [
                        {
                            "path": path,
                            "pathType": given.get("type", "Prefix"),
                            "backend": {"service": {"name": target, "port": {"name": "http"}}},
                        }
                    ]
                },
            }
            for host, path, target in rules
        ],
    }
    if "default" in given:
        spec["defaultBackend"] = {"service": {"name": given["default"], "port": {"number": 80}}}
    meta = {"namespace": "default", "name": name, "annotations": given.get("annotations", {})}
    return {"metadata": meta, "spec": spec}


def ask(url: str, *ingresses: dict[str, Any], web: Service | None = None, headers: Any = ()) -> Applied:
    """A request to the controller of these Ingresses; the Service `web` has endpoints, `empty` has none."""
    servings = [serving(ingress_of(each), CLASSES) for each in ingresses]
    world = cluster(web or service(), service(name="empty"))
    world = replace(world, slices=(*world.slices, replace(world.slices[0], service="canary")))
    world = replace(world, services=(*world.services, service(name="canary")))
    return applied(request_of(url, headers=headers), servings, world)


def target(found: Applied) -> list[tuple[str, Fraction]]:
    """Who gets which share."""
    return [(each.backend.target.name, each.weight) for each in found.decision.shares]


@pytest.mark.parametrize(
    ("kind", "annotations", "reach"),
    [
        ("nginx", {}, Reach.ENDPOINTS),
        ("nginx", {f"{NGINX}/service-upstream": "true"}, Reach.CLUSTER_IP),
        ("nginx", {f"{NGINX}/service-upstream": "false"}, Reach.ENDPOINTS),
        ("contour", {f"{NGINX}/service-upstream": "true"}, Reach.ENDPOINTS),
        ("alb", {}, Reach.NODE_PORT),
        ("alb", {"alb.ingress.kubernetes.io/target-type": "ip"}, Reach.ENDPOINTS),
        ("other", {}, Reach.UNKNOWN),
    ],
)
def test_how_a_backend_is_reached(kind: str, annotations: dict[str, str], reach: Reach) -> None:
    """By default, and as annotations of that very controller say."""
    found = ask("http://x.test/", ingress(kind, ("x.test", "/", "web"), annotations=annotations))

    assert reach == found.settings.reach


def test_an_annotation_of_the_service_counts_too() -> None:
    """Traefik's switch to the ClusterIP stands there."""
    name = "traefik.ingress.kubernetes.io/service.nativelb"
    web = service(annotations=((name, "true"),))

    found = ask("http://x.test/", ingress("traefik", ("x.test", "/", "web")), web=web)

    assert found.settings.reach is Reach.CLUSTER_IP
    assert name in found.decision.changes[0]


def test_a_service_without_ready_endpoints_is_unavailable() -> None:
    """503 from the proxy, and the backend is told."""
    found = ask("http://x.test/", ingress("nginx", ("x.test", "/", "empty")))

    assert found.decision.status == 503
    assert "no endpoint of Service default/empty is ready" in found.decision.reason


@pytest.mark.parametrize(("kind", "expected"), [("nginx", 503), ("contour", 404)])
def test_a_missing_service(kind: str, expected: int) -> None:
    """ingress-nginx answers 503; Contour does not program the rule."""
    assert ask("http://x.test/", ingress(kind, ("x.test", "/", "gone"))).decision.status == expected


@pytest.mark.parametrize(
    ("annotations", "tls", "expected"),
    [
        ({}, [], None),
        ({}, [{"hosts": ["x.test"], "secretName": "s"}], 308),
        ({f"{NGINX}/ssl-redirect": "false"}, [{"hosts": ["x.test"], "secretName": "s"}], None),
        ({f"{NGINX}/force-ssl-redirect": "true"}, [], 308),
    ],
)
def test_plain_http_may_be_redirected(annotations: dict[str, str], tls: Any, expected: int | None) -> None:
    """ingress-nginx does so for hosts with TLS."""
    found = ask("http://x.test/a", ingress("nginx", ("x.test", "/", "web"), annotations=annotations, tls=tls))

    assert expected == found.decision.status
    assert found.decision.location == ("https://x.test/a" if expected else "")


def test_contour_serves_https_only_for_hosts_with_tls() -> None:
    """There is no default certificate: other hosts do not exist on that port."""
    plain = ingress("contour", ("x.test", "/", "web"))
    secure = ingress("contour", ("x.test", "/", "web"), tls=[{"hosts": ["x.test"], "secretName": "s"}])

    assert [ask("https://x.test/", each).decision.result for each in (plain, secure)] == [
        Result.REFUSED,
        Result.FORWARDED,
    ]


def test_an_ingress_may_be_kept_from_plain_http() -> None:
    """With the annotation that Contour and GKE know."""
    annotations = {"kubernetes.io/ingress.allow-http": "false"}
    given = ingress("contour", ("x.test", "/", "web"), annotations=annotations)

    assert ask("http://x.test/", given).decision.status == 404


def test_contours_wildcards_keep_longer_hosts_from_the_default_backend() -> None:
    """Envoy chooses the virtual host *.x.test for a.b.x.test, and there no rule matches."""
    given = ingress("contour", ("*.x.test", "/", "web"), default="canary")

    found = [ask(url, given) for url in ("http://a.x.test/", "http://a.b.x.test/", "http://y.test/")]

    assert [target(each) for each in found] == [[("web", Fraction(1))], [], [("canary", Fraction(1))]]


def test_contour_answers_404_for_a_path_of_a_known_host() -> None:
    """The default backend is a virtual host of its own."""
    given = ingress("contour", ("x.test", "/a", "web"), default="canary")

    assert ask("http://x.test/b", given).decision.status == 404


def test_an_expression_at_one_ingress_makes_expressions_of_all_paths_of_the_host() -> None:
    """As ingress-nginx documents for use-regex and for rewrite targets with groups."""
    first = ingress("nginx", ("x.test", "/v[0-9]+", "web"), annotations={f"{NGINX}/use-regex": "true"})
    second = ingress("nginx", ("x.test", "/A", "canary"), name="j")

    found = [ask(url, first, second) for url in ("http://x.test/v12/x", "http://x.test/abc")]

    assert [target(each) for each in found] == [[("web", Fraction(1))], [("canary", Fraction(1))]]


@pytest.mark.parametrize(
    ("annotations", "headers", "expected"),
    [
        ({"canary-weight": "20"}, (), [("web", Fraction(4, 5)), ("canary", Fraction(1, 5))]),
        (
            {"canary-weight": "5", "canary-weight-total": "10"},
            (),
            [("web", Fraction(1, 2)), ("canary", Fraction(1, 2))],
        ),
        ({"canary-weight": "0"}, (), [("web", Fraction(1))]),
        ({"canary-by-header": "x-new"}, (("X-New", "always"),), [("canary", Fraction(1))]),
        ({"canary-by-header": "x-new", "canary-weight": "50"}, (("X-New", "never"),), [("web", Fraction(1))]),
        (
            {"canary-by-header": "x-new", "canary-by-header-value": "b"},
            (("X-New", "b"),),
            [("canary", Fraction(1))],
        ),
        (
            {"canary-by-header": "x-new", "canary-by-header-value": "b"},
            (("X-New", "always"),),
            [("web", Fraction(1))],
        ),
        (
            {"canary-by-header": "x-new", "canary-by-header-pattern": "^b.$"},
            (("X-New", "b2"),),
            [("canary", Fraction(1))],
        ),
        ({"canary-by-cookie": "new"}, (("Cookie", "a=b; new=always"),), [("canary", Fraction(1))]),
    ],
)
def test_a_canary_takes_its_part(
    annotations: dict[str, str], headers: Any, expected: list[tuple[str, Fraction]]
) -> None:
    """By header, then by cookie, then by weight."""
    written = {f"{NGINX}/{key}": value for key, value in (annotations | {"canary": "true"}).items()}
    rule = ("x.test", "/", "web")
    canary = ingress("nginx", ("x.test", "/", "canary"), name="c", annotations=written)

    found = ask("http://x.test/", ingress("nginx", rule), canary, headers=headers)

    assert expected == target(found)
    assert found.decision.is_certain


def test_tls_that_passes_through_is_told() -> None:
    """Only the server name decides then."""
    given = ingress("nginx", ("x.test", "/", "web"), annotations={f"{NGINX}/ssl-passthrough": "true"})

    assert ask("https://x.test/", given).settings.passthrough


def test_a_class_that_does_not_exist_serves_nothing() -> None:
    """The classes that there are, are named."""
    found = serving(ingress_of(ingress("nope")), CLASSES)

    assert not found.is_served
    assert found.why.startswith("there is no IngressClass nope (there are: nginx, contour")


def test_the_deprecated_annotation_names_a_class_or_a_controller() -> None:
    """An IngressClass of that name first, else the controller that used that name."""
    given = ingress("x", annotations={"kubernetes.io/ingress.class": "traefik"})
    del given["spec"]["ingressClassName"]

    found = [serving(ingress_of(given), classes).controller.product for classes in (CLASSES, [], None)]

    assert found == ["Traefik"] * 3


def test_an_ingress_without_class_is_uncertain() -> None:
    """The default class is given when an Ingress is made, not later."""
    given = ingress("x")
    del given["spec"]["ingressClassName"]
    marked = class_of(
        {
            "metadata": {"name": "d", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
            "spec": {"controller": "k8s.io/ingress-nginx"},
        }
    )

    found = serving(ingress_of(given), [*CLASSES, marked])

    assert (found.class_name, found.certain) == ("d", False)
    assert not serving(ingress_of(given), CLASSES).is_served


def test_classes_that_cannot_be_read_leave_it_open() -> None:
    """Not the same as a class that does not exist."""
    found = serving(ingress_of(ingress("nginx")), None)

    assert (found.is_served, found.certain) == (False, False)


def test_ingresses_of_one_controller_belong_together() -> None:
    """Whatever their classes are called."""
    two = [*CLASSES, IngressClass(name="inner", controller="k8s.io/ingress-nginx")]
    servings = [serving(ingress_of(ingress(kind)), two) for kind in ("nginx", "inner", "alb", "nope")]

    found = by_controller(servings)

    assert {name: len(each) for name, each in found.items()} == {
        "k8s.io/ingress-nginx": 2,
        "ingress.k8s.aws/alb": 1,
    }


def test_a_redirect_is_the_end() -> None:
    """No backend is asked."""
    annotations = {f"{NGINX}/force-ssl-redirect": "true"}

    found = ask("http://x.test/", ingress("nginx", ("x.test", "/", "web"), annotations=annotations))

    assert (found.decision.result, found.decision.shares) == (Result.REDIRECTED, ())
