"""An address that MetalLB announces by BGP to a real router: its routes, the nodes that are told, and requests by both."""

import json
from functools import partial
from typing import Any

import pytest
from cluster.edge import SPACE, Edge, Sent
from cluster.prediction import packetpath
from cluster.routed import NAME, address_of, publish
from cluster.shop import ingress, open_shop, path

from testbed.addons import bgp, contour
from testbed.cluster import Cluster
from testbed.waiting import wait_until
from testbed.workloads import Server

pytestmark = [pytest.mark.cluster, pytest.mark.bed(nodes=2, proxy="nftables", network="bridge")]
CLIENT = "198.51.100.2"
REQUESTS = 100
LEFT_OUT = "node.kubernetes.io/exclude-from-external-load-balancers"


@pytest.fixture
def edge(cluster: Cluster) -> Edge:
    """Behind an address that both nodes announce, Envoys and a server that tells its client."""
    found = open_shop(cluster)
    echo = Server(name="echo", namespace=SPACE)
    cluster.kube.apply(echo.pod(), echo.service())
    publish(found)
    ingress(found, path("echo"))
    return found


def told_nodes(edge: Edge) -> set[str]:
    """The nodes by which the program says that packets for the address come in."""
    words = (f"svc/{NAME}:http", "-n", contour.NAMESPACE, "--from", f"outside:{CLIENT}")
    ways = [
        each for each in packetpath(edge.cluster, *words).ways if each["question"]["way"] == "LoadBalancer"
    ]
    assert {each["verdict"] for each in ways} == {"DELIVERED"}
    return {each["question"]["from"]["node"] for each in ways}


def proxies(edge: Edge) -> dict[str, str]:
    """The node of each proxy, by the proxy's address."""
    pods = edge.cluster.kube.list("Pod", contour.NAMESPACE, labels="app=envoy")
    return {pod["status"]["podIP"]: pod["spec"]["nodeName"] for pod in pods}


def seen(edge: Edge, path: str, count: int) -> set[str]:
    """What the server says to real requests for the address."""
    sent = [Sent(url="", host="shop.test", path=path, address=address_of(edge))] * count
    return {got.body for got in edge.send(sent)}


def test_requests_come_in_by_the_nodes_that_the_router_knows(edge: Edge) -> None:
    """Both of them, with the client's own address; and one that is left out gets none."""
    cluster = edge.cluster
    home = proxies(edge)
    wait_until("requests are answered", lambda: seen(edge, "/header?key=X-Forwarded-For", 1) == {CLIENT})

    both = told_nodes(edge)
    real = {home[each.rpartition(":")[0]] for each in seen(edge, "/clientip", REQUESTS)}

    assert both == real == bgp.next_hops(cluster, address_of(edge)) == {"node1", "node2"}
    cluster.kube.patch(_labelled("node1", ""))
    try:
        wait_until("one is left", partial(_is_alone, edge, "node2"))
        alone = wait_until("its object is gone", lambda: told_nodes(edge) == {"node2"})
        real = {home[each.rpartition(":")[0]] for each in seen(edge, "/clientip", 20)}
    finally:
        cluster.kube.patch(_labelled("node1", None))

    assert alone
    assert real == {"node2"}


def _labelled(name: str, value: str | None) -> dict[str, Any]:
    """The node, kept out of load balancers or not."""
    meta = {"name": name, "labels": {LEFT_OUT: value}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": meta}


def _is_alone(edge: Edge, name: str) -> bool:
    return bgp.next_hops(edge.cluster, address_of(edge)) == {name}


def test_the_peers_are_told(edge: Edge) -> None:
    """To whom the address is announced stands beside the ways."""
    words = (f"svc/{NAME}:http", "-n", contour.NAMESPACE, "--from", f"outside:{CLIENT}")
    wait_until("the objects say so", lambda: len(told_nodes(edge)) == 2)

    notes = json.loads(packetpath(edge.cluster, *words, expect=0).out)["notes"]

    assert f"MetalLB's speaker on node1, node2 announces the address by BGP to {bgp.POOL_NAME}" in " ".join(
        notes
    )
