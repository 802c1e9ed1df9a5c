"""Faults around the proxies: the address, the controller, the way to the backend; each seen from outside and named."""

from collections.abc import Iterator
from functools import partial
from ipaddress import ip_network
from typing import Any

import pytest
from cluster.edge import SPACE, Edge
from cluster.prediction import packetpath
from cluster.shop import get, ingress, open_shop, path, route, told, wait_for, ways

from testbed.addons import contour, metallb
from testbed.addons.parts import wait_ready
from testbed.cluster import Cluster
from testbed.faults import ForeignTable, fault
from testbed.traffic import Reached, attempt
from testbed.waiting import wait_until
from testbed.workloads import Server

pytestmark = [pytest.mark.cluster, pytest.mark.bed(nodes=2, proxy="nftables", network="bridge")]
CLIENT = "198.51.100.2"
STATIC = "203.0.113.77"


@pytest.fixture
def edge(cluster: Cluster) -> Edge:
    """The proxies, without any rules, and two Services `one` and `two`."""
    return open_shop(cluster)


def balanced(namespace: str, name: str, **spec: Any) -> dict[str, Any]:
    """A Service of type LoadBalancer that MetalLB leaves alone."""
    own = {"type": "LoadBalancer", "loadBalancerClass": "example.com/other"}
    return Server(name="server-0", namespace=namespace).service(name=name, **own | spec)


def forget_neighbour(edge: Edge, address: str) -> None:
    """The router asks anew who has the address."""
    edge.cluster.router.attempt(["ip", "neigh", "flush", "to", address])


def test_a_balancer_that_nobody_provides(edge: Edge) -> None:
    """The Service has no address outside; its ClusterIP and node ports work all the same: exit code 0."""
    edge.cluster.kube.apply(balanced(SPACE, "pending"))

    said = packetpath(edge.cluster, "svc/pending:http", "-n", SPACE)

    assert "balancer-is-pending" in said.out
    assert {way["question"]["way"] for way in said.ways} == {"ClusterIP", "NodePort"}
    assert said.code == 0


@pytest.fixture
def silent(edge: Edge) -> Iterator[Edge]:
    """MetalLB gave an address, and is told to announce it nowhere."""
    kube = edge.cluster.kube
    (advertisement,) = [
        each for each in metallb.pool_objects(metallb.POOL) if each["kind"] == "L2Advertisement"
    ]
    kube.delete(advertisement)
    yield edge
    kube.apply(advertisement)
    wait_until("it is announced again", lambda: announcers(edge))


def announcers(edge: Edge) -> list[str]:
    """The nodes that MetalLB's own objects name for the proxies' address."""
    listed = edge.cluster.kube.list("ServiceL2Status", metallb.NAMESPACE, api="metallb.io/v1beta1")
    return [each["status"]["node"] for each in listed if each.get("status", {}).get("serviceName") == "envoy"]


def test_an_address_that_nobody_announces(silent: Edge) -> None:
    """Nobody answers ARP for it, and the way in ends before any node."""
    ingress(silent, path("one"))
    wait_until("nobody says to announce it", lambda: not announcers(silent))
    forget_neighbour(silent, silent.address)
    wait_until("nobody answers", lambda: get(silent).status is None)

    request = told(silent, "ingress/shop", "--from", f"outside:{CLIENT}", expect=1)

    lost = [way for way in ways(request["connections"][0]) if way["verdict"] == "NO_NEIGHBOUR"]
    assert {way["question"]["destination"] for way in lost} == {silent.address}
    assert {each["id"] for way in lost for each in way["findings"]} == {"balancer-is-not-announced"}
    assert {hop["namespace"] for way in lost for each in way["paths"] for hop in each["hops"]} == {"outside"}


def test_the_node_that_announces_an_address_is_told(edge: Edge) -> None:
    """It is the one whose hardware address the router really has for it, and the only way that is asked."""
    ingress(edge, path("one"))
    wait_for(edge, 200)
    entry = edge.cluster.router.run(["ip", "neigh", "show", "to", edge.address]).split()
    hardware = entry[entry.index("lladdr") + 1]
    owners = [n.name for n in edge.cluster.nodes if hardware in n.run(["ip", "link", "show", "dev", "eth0"])]

    request = told(edge, "ingress/shop", "--from", f"outside:{CLIENT}", expect=0)

    into = [way for way in ways(request["connections"][0]) if way["question"]["destination"] == edge.address]
    assert [way["question"]["from"]["node"] for way in into] == owners == announcers(edge)
    assert "answers ARP and NDP for the address" in " ".join(request["connections"][0]["answer"]["notes"])


def test_an_address_that_leads_to_a_node_without_endpoints(edge: Edge) -> None:
    """Under externalTrafficPolicy Local such a node drops; its health check says 503, and so tells balancers."""
    cluster, kube = edge.cluster, edge.cluster.kube
    home = kube.get("Pod", "server-0", SPACE)["spec"]["nodeName"]
    other = next(node for node in cluster.nodes if node.name != home)
    service = balanced(SPACE, "pinned", externalTrafficPolicy="Local")
    kube.apply(service)
    kube.patch(service | {"status": {"loadBalancer": {"ingress": [{"ip": STATIC}]}}}, subresource="status")
    network = ip_network(f"{STATIC}/32")
    cluster.route_from_outside(network, cluster.node(home))
    wait_until("the right node takes it", partial(_is_reached, cluster))
    cluster.route_from_outside(network, other)
    reached = _is_reached(cluster)
    cluster.router.run(["ip", "route", "del", str(network)])

    words = ("svc/pinned:http", "-n", SPACE, "--from", f"outside:{CLIENT}", "--node", other.name)
    said = packetpath(cluster, *words, expect=1)

    (way,) = (each for each in said.ways if each["question"]["way"] == "LoadBalancer")
    assert not reached
    assert way["verdict"] == "NO_BACKEND"
    assert [each["id"] for each in way["findings"]] == ["no-local-endpoint"]
    assert way["findings"][0]["node"] == other.name
    assert "503" in str([each["question"] for each in said.ways if each["question"]["way"] == "HealthCheck"])


def _is_reached(cluster: Cluster) -> bool:
    (got,) = attempt(cluster.outside, STATIC, 80, count=1, timeout_seconds=1)
    return isinstance(got, Reached)


def test_the_controller_is_down(edge: Edge) -> None:
    """Its proxies go on with the rules that they have, and a new one is not theirs: they say so themselves."""
    kube = edge.cluster.kube
    ingress(edge, path("one", "/old"))
    wait_for(edge, 200, "/old")
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": contour.NAMESPACE, "name": "contour"},
    }
    kube.patch(deployment | {"spec": {"replicas": 0}})
    try:
        wait_until("it is gone", lambda: not kube.list("Pod", contour.NAMESPACE, labels="app=contour"))
        ingress(edge, path("one", "/old"), path("two", "/new"))
        request = told(edge, "http://shop.test/new", expect=1)
        statuses = [get(edge, "/old").status, get(edge, "/new").status]
    finally:
        kube.patch(deployment | {"spec": {"replicas": 1}})
        wait_ready(edge.cluster, "Deployment", contour.NAMESPACE, "contour")

    assert statuses == [200, 404]
    assert request["decision"]["chosen"] is not None
    assert "Contour does not run (Service projectcontour/contour has no pod that is ready)" in " ".join(
        request["decision"]["doubts"]
    )


def test_the_proxy_is_kept_from_the_backend(edge: Edge) -> None:
    """What drops its packets, as an enforcer of policies does, is named with its table and its node."""
    route(edge, {"backendRefs": [{"name": "one", "port": 80}]})
    wait_for(edge, 200)
    kube = edge.cluster.kube
    server = kube.get("Pod", "server-0", SPACE)
    address, home = server["status"]["podIP"], server["spec"]["nodeName"]
    rule = f"ip daddr {address} tcp dport 8080 counter drop"
    node = edge.cluster.node(home)
    bridged = ForeignTable(place=node, rule=rule, hook="forward", name="enforcer")
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"namespace": SPACE, "name": "closed"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "server-0"}},
            "policyTypes": ["Ingress"],
            "ingress": [],
        },
    }
    kube.apply(policy)
    try:
        with fault(bridged):
            wait_for(edge, 503)
            request = told(edge, "httproute/shop", expect=1)
    finally:
        kube.delete(policy)

    into, onward = request["connections"]
    assert {way["verdict"] for way in ways(into)} == {"DELIVERED"}
    assert {way["verdict"] for way in ways(onward)} == {"DROPPED"}
    hops = [each["hops"][-1] for way in ways(onward) for each in way["paths"]]
    assert {hop["node"] for hop in hops} == {home}
    assert "enforcer" in str(hops)
    assert "closed" in str(onward)
