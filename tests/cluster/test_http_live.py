"""What Envoys have really loaded, read through the API server, against the objects and against real requests.

Contour leaves a path out, or is stopped while the objects change: each difference is named, and a client outside gets what
the configuration says.
"""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from cluster.edge import SPACE, Edge
from cluster.prediction import packetpath
from cluster.shop import get, ingress, open_shop, path, route, told, wait_for

from testbed.addons import contour
from testbed.addons.parts import wait_ready
from testbed.cluster import Cluster
from testbed.control import Node
from testbed.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.bed(nodes=2, proxy="nftables", network="bridge")]
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"namespace": contour.NAMESPACE, "name": "contour"},
}
PROXIES = 2


@pytest.fixture
def edge(cluster: Cluster) -> Edge:
    """The proxies, without any rules, and two Services `one` and `two`."""
    return open_shop(cluster)


@pytest.fixture
def stopped(edge: Edge) -> Iterator[Edge]:
    """Envoys that send three hosts to `one`, `one` and `two`; and then Contour is gone."""
    kube = edge.cluster.kube
    ingress(edge, rules=rules(same="one", moved="one", pods="two"))
    wait_for(edge, 200, host="pods.test")
    kube.patch(DEPLOYMENT | {"spec": {"replicas": 0}})
    try:
        wait_until("it is gone", lambda: not kube.list("Pod", contour.NAMESPACE, labels="app=contour"))
        for node in edge.cluster.nodes:  # a pod without a grace period is gone before its program is
            wait_until("it has ended", partial(_has_ended, node))
        yield edge
    finally:
        kube.patch(DEPLOYMENT | {"spec": {"replicas": 1}})
        wait_ready(edge.cluster, "Deployment", contour.NAMESPACE, "contour")


def _has_ended(node: Node) -> bool:
    return node.attempt(["pgrep", "-f", "[c]ontour serve"]).code != 0


def rules(**services: str) -> list[dict[str, Any]]:
    """Rules of an Ingress that send each host under .test to a Service."""
    return [{"host": f"{name}.test", "http": {"paths": [path(to)]}} for name, to in services.items()]


def found(request: dict[str, Any]) -> set[str]:
    """What was found in the proxies' own words."""
    return {each["id"] for proxy in request["proxies"] for each in proxy["findings"]}


def agreement(request: dict[str, Any]) -> list[bool | None]:
    """Whether each proxy has loaded what the objects say."""
    return [proxy["agrees"] for proxy in request["proxies"]]


def test_weights_of_a_route_are_loaded_as_they_say(edge: Edge) -> None:
    """By all Envoys, each asked over a forwarded port; another route, which asks for a header, is passed over."""
    refs = [{"name": "one", "port": 80, "weight": 3}, {"name": "two", "port": 80, "weight": 1}]
    special = {"headers": [{"name": "version", "value": "two"}]}
    route(edge, {"backendRefs": refs}, {"matches": [special], "backendRefs": refs[1:]})
    wait_for(edge, 200)

    request = told(edge, "http://shop.test/", expect=0)

    assert agreement(request) == [True] * PROXIES
    assert len(request["decision"]["backends"]) == 2


def test_a_path_that_contour_leaves_out(edge: Edge) -> None:
    """It stops at the first path of each rule, as long as its Gateway has no listener for HTTPS; nothing else shows that."""
    ingress(edge, path("one"), path("two", "/cart"))
    wait_for(edge, 200)

    request = told(edge, "http://shop.test/cart", expect=1)

    assert found(request) == {"proxy-has-other-route"}
    assert request["decision"]["backends"][0]["name"] == "two"
    assert get(edge, "/cart").body == "server-0"


def test_envoys_without_their_controller_go_on_as_before(stopped: Edge) -> None:
    """What changed meanwhile is named: a rule that they lack, one of yesterday, and an endpoint of yesterday."""
    ingress(stopped, rules=rules(same="one", moved="two", pods="two", new="two"))
    other = {"metadata": {"namespace": SPACE, "name": "two"}, "spec": {"selector": {"app": "server-5"}}}
    stopped.cluster.kube.patch({"apiVersion": "v1", "kind": "Service"} | other)
    wait_until("the endpoint is another", lambda: endpoints(stopped, "two") == {"server-5"})

    said = packetpath(stopped.cluster, "ingress/shop", "-n", SPACE, expect=1)
    requests = {each["decision"]["request"]["host"]: each for each in json.loads(said.out)["requests"]}
    answers = {host: get(stopped, host=host) for host in requests}

    assert {host: found(each) for host, each in requests.items()} == {
        "same.test": set(),
        "moved.test": {"proxy-has-other-route"},
        "pods.test": {"proxy-has-other-endpoints"},
        "new.test": {"proxy-lacks-route"},
    }
    assert {host: each["end"] for host, each in requests.items()} == {
        "same.test": "arrived",
        "moved.test": "lost",
        "pods.test": "unknown",
        "new.test": "lost",
    }
    assert {host: (each.status, each.body) for host, each in answers.items()} == {
        "same.test": (200, "server-0"),
        "moved.test": (200, "server-0"),
        "pods.test": (200, "server-1"),
        "new.test": (404, ""),
    }
    same = requests["same.test"]  # the proxies themselves say that they know the rule
    assert (agreement(same), same["decision"]["doubts"]) == ([True] * PROXIES, [])
    assert "Contour does not run" in " ".join(same["decision"]["notes"])
    message = requests["pods.test"]["proxies"][0]["findings"][0]["message"]
    assert f"({SPACE}/server-1), which is no ready endpoint" in message
    assert f"({SPACE}/server-5), a ready endpoint" in message


def endpoints(edge: Edge, service: str) -> set[str]:
    """The pods that are ready behind a Service."""
    label = f"kubernetes.io/service-name={service}"
    slices = edge.cluster.kube.list("EndpointSlice", SPACE, api="discovery.k8s.io/v1", labels=label)
    return {
        each["targetRef"]["name"]
        for part in slices
        for each in part.get("endpoints") or ()
        if each["conditions"].get("ready")
    }
