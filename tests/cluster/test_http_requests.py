"""Real requests through MetalLB and Envoy: where they go and whom each side sees.

Each fault is made on the cluster, seen by a client outside, and named by the program with its exit code.
"""

import json
import math
from collections import Counter
from typing import Any

import pytest
from cluster.edge import SPACE, Edge, Sent
from cluster.prediction import packetpath
from cluster.shop import get, ingress, open_shop, path, route, told, wait_for, ways

from testbed.addons import contour
from testbed.addons.parts import wait_ready
from testbed.cluster import Cluster
from testbed.waiting import wait_until
from testbed.workloads import Server

pytestmark = [pytest.mark.cluster, pytest.mark.bed(nodes=2, proxy="nftables", network="bridge")]
CLIENT = "198.51.100.2"
REQUESTS = 200
WITHOUT_PROXY = {"NO_BACKEND", "NO_NEIGHBOUR"}


@pytest.fixture
def edge(cluster: Cluster) -> Edge:
    """The proxies, without any rules, and two Services `one` and `two`."""
    return open_shop(cluster)


def test_requests_are_shared_by_the_weights_that_are_told(edge: Edge) -> None:
    """200 real requests, within what chance allows."""
    refs = [{"name": "one", "port": 80, "weight": 3}, {"name": "two", "port": 80, "weight": 1}]
    route(edge, {"backendRefs": refs})
    wait_for(edge, 200)

    request = told(edge, "httproute/shop", expect=0)
    got = Counter(each.body for each in edge.send([Sent(url="", host="shop.test", path="/")] * REQUESTS))

    shares = {each["name"]: each["weight"] for each in request["decision"]["backends"]}
    assert shares == {"one": 0.75, "two": 0.25}
    spread = 4.5 * math.sqrt(0.75 * 0.25 / REQUESTS)
    assert set(got) == {"server-0", "server-1"}
    assert abs(got["server-0"] / REQUESTS - 0.75) < spread


def test_the_client_that_each_side_sees(edge: Edge) -> None:
    """The backend sees the proxy, and in X-Forwarded-For whom the proxy saw."""
    server = Server(name="echo", namespace=SPACE)
    edge.cluster.kube.apply(server.pod(), server.service())
    ingress(edge, path("echo"))
    wait_for(edge, 200, "/clientip")

    words = ("http://shop.test/", "--from", f"outside:{CLIENT}")
    request = told(edge, *words, expect=0)
    seen = {get(edge, "/clientip").body.rpartition(":")[0] for _ in range(20)}
    forwarded = get(edge, "/header?key=X-Forwarded-For").body

    into, onward = request["connections"]
    proxies = {each["packet"]["source"] for way in ways(onward) for each in way["paths"]}
    balanced = [way for way in ways(into) if way["question"]["way"] == "LoadBalancer"]
    clients = {each["packet"]["source"] for way in balanced for each in way["paths"]}
    assert seen <= proxies
    assert {forwarded} == clients == {CLIENT}


def test_a_service_without_ready_endpoints(edge: Edge) -> None:
    """503 from Envoy, and the program says why."""
    spec = {"selector": {"app": "nobody"}, "ports": [{"name": "http", "port": 80}]}
    meta = {"namespace": SPACE, "name": "empty"}
    edge.cluster.kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
    ingress(edge, path("empty"))
    wait_for(edge, 503)

    request = told(edge, "ingress/shop", expect=1)

    assert request["decision"]["status"] == 503
    assert f"no endpoint of Service {SPACE}/empty is ready" in request["decision"]["reason"]


OFFERS = "it offers: http (80/TCP), also (8080/TCP)"


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        ([path("gone")], f"left out by the controller: there is no Service {SPACE}/gone"),
        (
            [path("one", port=81)],
            f"left out by the controller: Service {SPACE}/one has no port 81 ({OFFERS})",
        ),
        ([path("one", "/other")], "/ does not match, compared by elements"),
    ],
)
def test_a_rule_that_takes_nothing(edge: Edge, paths: list[dict[str, Any]], why: str) -> None:
    """404 from Envoy, and the reason beside the rule."""
    ingress(edge, path("two", "/works"), *paths)
    wait_for(edge, 200, "/works")

    request = told(edge, "http://shop.test/", expect=1)

    assert get(edge).status == request["decision"]["status"] == 404
    assert why in [rule["why"] for rule in request["decision"]["rules"]]


def test_another_host(edge: Edge) -> None:
    """404 from Envoy, with the host as the reason."""
    ingress(edge, path("one"))
    wait_for(edge, 200)

    request = told(edge, "http://other.test/", expect=1)

    assert get(edge, host="other.test").status == request["decision"]["status"] == 404
    assert request["decision"]["rules"][0]["why"] == "the host is other.test"


def test_a_class_that_does_not_exist(edge: Edge) -> None:
    """Nobody applies the Ingress."""
    ingress(edge, path("one"), ingressClassName="nope")

    request = told(edge, "ingress/shop", expect=1)

    assert "there is no IngressClass nope" in request["decision"]["reason"]
    wait_until("nobody answers", lambda: get(edge).status is None)


def test_a_listener_that_does_not_exist(edge: Edge) -> None:
    """The route is attached nowhere; and for a Gateway without routes Contour gives Envoy nothing to listen for."""
    route(edge, {"backendRefs": [{"name": "one", "port": 80}]}, sectionName="nope")
    wait_until("nobody answers", lambda: get(edge).status is None)

    request = told(edge, "httproute/shop", expect=1)

    assert [rule["why"] for rule in request["decision"]["rules"]] == ["the route names section nope"]
    assert {way["verdict"] for way in ways(request["connections"][0])} == {"REFUSED"}


def test_a_backend_in_another_namespace(edge: Edge) -> None:
    """500 without a ReferenceGrant, and 200 with it."""
    kube = edge.cluster.kube
    spec = {"selector": {"app": "envoy"}, "ports": [{"port": 80, "targetPort": 8002}]}
    meta = {"namespace": contour.NAMESPACE, "name": "stats"}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
    grant = {
        "apiVersion": "gateway.networking.k8s.io/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": meta,
        "spec": {
            "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": SPACE}],
            "to": [{"group": "", "kind": "Service"}],
        },
    }
    kube.delete(grant)
    kube.apply(service)
    route(edge, {"backendRefs": [{"name": "stats", "namespace": contour.NAMESPACE, "port": 80}]})
    wait_for(edge, 500, "/ready")

    refused = told(edge, "http://shop.test/ready", expect=1)
    kube.apply(grant)
    wait_for(edge, 200, "/ready")
    allowed = told(edge, "http://shop.test/ready", expect=0)
    kube.delete(grant, service)

    assert refused["decision"]["status"] == 500
    assert "no ReferenceGrant in namespace projectcontour" in refused["decision"]["backends"][0]["problem"]
    assert allowed["decision"]["result"] == "forwarded"


def test_a_backend_that_refuses(edge: Edge) -> None:
    """Nothing listens on the Service's target port: Envoy says 503, and the second connection is REFUSED."""
    spec = {"selector": {"app": "server-0"}, "ports": [{"port": 80, "targetPort": 9090}]}
    meta = {"namespace": SPACE, "name": "deaf"}
    edge.cluster.kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
    ingress(edge, path("deaf"))
    wait_for(edge, 503)

    request = told(edge, "ingress/shop", expect=1)

    into, onward = request["connections"]
    assert {way["verdict"] for way in ways(into)} == {"DELIVERED"}
    assert {way["verdict"] for way in ways(onward)} == {"REFUSED"}


def test_no_proxy_runs(edge: Edge) -> None:
    """The ways in end at the nodes, for want of endpoints; and none of them may announce the address any more."""
    ingress(edge, path("one"))
    wait_for(edge, 200)
    kube = edge.cluster.kube
    proxies = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"namespace": contour.NAMESPACE, "name": "envoy"},
    }
    placed = {"spec": {"template": {"spec": {"nodeSelector": {"nowhere": "yes"}}}}}
    kube.patch(proxies | placed)
    try:
        wait_until("no proxy runs", lambda: not kube.list("Pod", contour.NAMESPACE, labels="app=envoy"))
        wait_until("nobody answers", lambda: get(edge).status is None)
        request = wait_until("the way in is seen to end", lambda: _lost(edge))
    finally:
        kube.patch(proxies | {"spec": {"template": {"spec": {"nodeSelector": None}}}})
        wait_ready(edge.cluster, "DaemonSet", contour.NAMESPACE, "envoy")

    assert request is not None
    assert {way["verdict"] for way in ways(request["connections"][0])} == WITHOUT_PROXY


def _lost(edge: Edge) -> dict[str, Any] | None:
    said = packetpath(edge.cluster, "ingress/shop", "-n", SPACE)
    (request,) = json.loads(said.out)["requests"]
    ended = {way["verdict"] for way in ways(request["connections"][0])}
    return dict(request) if said.code == 1 and ended == WITHOUT_PROXY else None
