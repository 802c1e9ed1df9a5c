"""Ingresses, Gateways and routes from the API."""

import base64
from collections.abc import Iterator
from typing import Any, cast

import pytest

from kubectl_packetpath.cluster.http.decision import Reference
from kubectl_packetpath.cluster.http.tls.model import Secrets
from kubectl_packetpath.cluster.http.web import Web
from kubectl_packetpath.cluster.http.web_objects import web_of
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.sources.api import Api, ApiError
from kubectl_packetpath.sources.web import WebReader, kept, read_secrets

GATEWAY = "/apis/gateway.networking.k8s.io"
INGRESS = "/apis/networking.k8s.io/v1"


class Answers:
    """An API server with these answers; numbers are refusals, and 404 stands for all that is not there."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    def get(self, path: str, **_query: str) -> dict[str, Any]:
        """One object."""
        return self.request("GET", path, {})

    def list(self, path: str, **_query: str) -> Iterator[dict[str, Any]]:
        """A list."""
        yield from self.request("GET", path, {})["items"]

    def request(self, _method: str, path: str, _query: object, accept: str = "") -> dict[str, Any]:
        """Either."""
        self.asked.append((path, accept))
        found = self.answers.get(path, 404)
        if isinstance(found, int):
            raise ApiError(found, f"{path} says {found}")
        return dict(found) if isinstance(found, dict) else {"items": found}


def api(answers: dict[str, Any]) -> Api:
    """As the readers know it."""
    return cast("Api", Answers(answers))


def read(answers: dict[str, Any], *namespaces: str) -> Web:
    """What is made of the answers."""
    return web_of(WebReader(api=api(answers), namespaces=namespaces).read())


PLAIN: dict[str, Any] = {f"{INGRESS}/ingresses": [], f"{INGRESS}/ingressclasses": []}


def test_a_cluster_without_gateway_api_is_no_error() -> None:
    """Its kinds are absent, and nothing has to be said of it."""
    found = read(PLAIN)

    assert isinstance(found.gateways, Absent)
    assert found.gateways.why is Why.NOT_LOADED
    assert list(found.refused()) == []


def test_the_newest_version_of_each_kind_is_read() -> None:
    """Routes below HTTP are served in older versions than Gateways."""
    v1, v1alpha2 = f"{GATEWAY}/v1", f"{GATEWAY}/v1alpha2"
    answers = PLAIN | {
        GATEWAY: {"versions": [{"groupVersion": each.removeprefix("/apis/")} for each in (v1, v1alpha2)]},
        v1: {"resources": [{"name": "gateways"}, {"name": "httproutes"}]},
        v1alpha2: {"resources": [{"name": "gateways"}, {"name": "tlsroutes"}]},
        f"{v1}/gateways": [{"metadata": {"namespace": "a", "name": "g"}}],
        f"{v1}/httproutes": [{"metadata": {"namespace": "a", "name": "h"}}],
        f"{v1alpha2}/tlsroutes": [{"metadata": {"namespace": "a", "name": "t"}}],
    }

    found = read(answers)

    assert [each.kind for each in found.routes] == ["HTTPRoute", "TLSRoute"]
    assert not isinstance(found.gateways, Absent)
    assert dict(found.absent)["udproutes"].why is Why.NOT_LOADED


def test_a_refusal_is_named() -> None:
    """With the API server's own words."""
    found = read(PLAIN | {f"{INGRESS}/ingresses": 403, f"{INGRESS}/ingressclasses": 403})

    assert list(found.refused()) == [
        f"ingresses could not be read: {INGRESS}/ingresses says 403",
        f"ingressclasses could not be read: {INGRESS}/ingressclasses says 403",
    ]


def test_the_users_own_namespace_is_read_instead() -> None:
    """Where the others may not be."""
    own = {"metadata": {"namespace": "shop", "name": "i"}}
    answers = PLAIN | {f"{INGRESS}/ingresses": 403, f"{INGRESS}/namespaces/shop/ingresses": [own]}

    found = read(answers, "shop")

    assert not isinstance(found.ingresses, Absent)
    assert [each.name for each in found.ingresses] == ["i"]


def test_only_annotations_that_direct_requests_are_kept() -> None:
    """Others may hold anything."""
    name = "nginx.ingress.kubernetes.io/rewrite-target"
    annotations = {name: "/", "nginx.ingress.kubernetes.io/canary-weight": "5", "token": "secret"}

    found = kept({"metadata": {"name": "i", "annotations": annotations, "managedFields": []}, "spec": {}})

    assert found["metadata"] == {
        "name": "i",
        "annotations": {name: "/", "nginx.ingress.kubernetes.io/canary-weight": "5"},
    }


def secrets(answers: dict[str, Any]) -> Secrets:
    """The Secret `shop/s`."""
    return read_secrets(api(answers), [Reference(kind="Secret", namespace="shop", name="s")])


def test_a_key_is_dropped_at_once() -> None:
    """Nothing of it is in what is handed on."""
    encoded = base64.b64encode(b"the key").decode()
    given = {
        "metadata": {"namespace": "shop", "name": "s"},
        "type": "kubernetes.io/tls",
        "data": {"tls.crt": base64.b64encode(b"x").decode(), "tls.key": encoded, "ca.key": encoded},
    }

    found = secrets({"/api/v1/namespaces/shop/secrets/s": given})

    assert isinstance(found.found, tuple)
    assert found.found[0].problem.startswith("its tls.crt is no certificate")
    assert encoded not in str(found)
    assert "the key" not in str(found)


def test_a_missing_secret_is_looked_for_elsewhere_by_name_only() -> None:
    """The API server is asked for names, so no data is sent."""
    server = Answers({"/api/v1/secrets": [{"metadata": {"namespace": "bank", "name": "s"}}]})

    found = read_secrets(cast("Api", server), [Reference(kind="Secret", namespace="shop", name="s")])

    assert [each.namespace for each in found.elsewhere] == ["bank"]
    assert "PartialObjectMetadataList" in dict(server.asked)["/api/v1/secrets"]


@pytest.mark.parametrize("status", [403])
def test_secrets_that_may_not_be_read_are_absent(status: int) -> None:
    """Which is most often so, and no error."""
    found = secrets({"/api/v1/namespaces/shop/secrets/s": status})

    assert isinstance(found.found, Absent)
    assert found.found.why is Why.NOT_PERMITTED
