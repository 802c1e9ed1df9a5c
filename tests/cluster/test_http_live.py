"""What Envoys have really loaded, read through the API server, against the objects and against real requests.

Contour is stopped, the objects change, and its Envoys go on as before: each difference is named, and a client outside gets
what the dump says.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from cluster.edge import SPACE, Edge
from cluster.shop import get, ingress, open_shop, path, route, told, wait_for

from testbed.addons import contour
from testbed.addons.parts import wait_ready
from testbed.cluster import Cluster
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
    """An Ingress that sends / to `one`, loaded by Envoy; and then Contour is gone."""
    kube = edge.cluster.kube
    ingress(edge, path("one"))
    wait_for(edge, 200)
    kube.patch(DEPLOYMENT | {"spec": {"replicas": 0}})
    try:
        wait_until("it is gone", lambda: not kube.list("Pod", contour.NAMESPACE, labels="app=contour"))
        yield edge
    finally:
        kube.patch(DEPLOYMENT | {"spec": {"replicas": 1}})
        wait_ready(edge.cluster, "Deployment", contour.NAMESPACE, "contour")


def found(request: dict[str, Any]) -> set[str]:
    """What was found in the proxies' own words."""
    return {each["id"] for proxy in request["proxies"] for each in proxy["findings"]}


def agreement(request: dict[str, Any]) -> list[bool | None]:
    """Whether each proxy has loaded what the objects say."""
    return [proxy["agrees"] for proxy in request["proxies"]]


def test_an_ingress_is_loaded_as_it_says(edge: Edge) -> None:
    """By all Envoys, each asked over a forwarded port."""
    rules = [{"host": "shop.test", "http": {"paths": [each]}} for each in (path("one"), path("two", "/cart"))]
    ingress(edge, rules=rules)
    wait_until("Envoy knows both", lambda: get(edge, "/cart").body == "server-1")

    request = told(edge, "http://shop.test/cart", expect=0)

    assert agreement(request) == [True] * PROXIES


def test_a_path_that_contour_leaves_out(edge: Edge) -> None:
    """It stops at the first path of each rule, as long as its Gateway has no listener for HTTPS; nothing else shows that."""
    ingress(edge, path("one"), path("two", "/cart"))
    wait_for(edge, 200)

    request = told(edge, "http://shop.test/cart", expect=1)

    assert found(request) == {"proxy-has-other-route"}
    assert request["decision"]["backends"][0]["name"] == "two"
    assert get(edge, "/cart").body == "server-0"


def test_weights_of_a_route_are_loaded_as_they_say(edge: Edge) -> None:
    """And the first route, which asks for a header, is passed over."""
    refs = [{"name": "one", "port": 80, "weight": 3}, {"name": "two", "port": 80, "weight": 1}]
    special = {"headers": [{"name": "version", "value": "two"}]}
    route(edge, {"backendRefs": refs}, {"matches": [special], "backendRefs": refs[1:]})
    wait_for(edge, 200)

    request = told(edge, "http://shop.test/", expect=0)

    assert agreement(request) == [True] * PROXIES
    assert len(request["decision"]["backends"]) == 2


def test_what_did_not_change_is_certain_though_the_controller_is_down(stopped: Edge) -> None:
    """The proxies themselves say that they know the rule."""
    request = told(stopped, "http://shop.test/", expect=0)

    assert agreement(request) == [True] * PROXIES
    assert request["decision"]["doubts"] == []
    assert "Contour does not run" in " ".join(request["decision"]["notes"])
    assert get(stopped).body == "server-0"


def test_a_rule_that_no_proxy_knows(stopped: Edge) -> None:
    """404, as the configuration says and the objects do not."""
    other = {"host": "new.test", "http": {"paths": [path("two")]}}
    rules = [{"host": "shop.test", "http": {"paths": [path("one")]}}, other]
    ingress(stopped, rules=rules)

    request = told(stopped, "http://new.test/", expect=1)

    assert found(request) == {"proxy-lacks-route"}
    assert request["decision"]["chosen"] is not None
    assert get(stopped, host="new.test").status == 404


def test_a_rule_of_yesterday(stopped: Edge) -> None:
    """The request still goes to the backend that the Ingress named then."""
    ingress(stopped, path("two"))

    request = told(stopped, "http://shop.test/", expect=1)

    assert found(request) == {"proxy-has-other-route"}
    assert "one" in request["proxies"][0]["findings"][0]["evidence"][0]["text"]
    assert get(stopped).body == "server-0"


def test_endpoints_of_yesterday(stopped: Edge) -> None:
    """The Service selects another pod, and requests still reach the one before."""
    kube = stopped.cluster.kube
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": SPACE, "name": "one"}}
    kube.patch(service | {"spec": {"selector": {"app": "server-5"}}})
    wait_until("the endpoint is another", lambda: _endpoints(stopped) == {"server-5"})

    request = told(stopped, "http://shop.test/", expect=3)

    (said, *_) = request["proxies"][0]["findings"]
    assert found(request) == {"proxy-has-other-endpoints"}
    assert f"({SPACE}/server-0), which is no ready endpoint" in said["message"]
    assert f"does not know {_address(stopped, 'server-5')}:8080 ({SPACE}/server-5)" in said["message"]
    assert get(stopped).body == "server-0"


def _endpoints(edge: Edge) -> set[str]:
    slices = edge.cluster.kube.list(
        "EndpointSlice", SPACE, api="discovery.k8s.io/v1", labels="kubernetes.io/service-name=one"
    )
    return {
        each["targetRef"]["name"]
        for part in slices
        for each in part.get("endpoints") or ()
        if each["conditions"].get("ready")
    }


def _address(edge: Edge, pod: str) -> str:
    return str(edge.cluster.kube.get("Pod", pod, SPACE)["status"]["podIP"])
