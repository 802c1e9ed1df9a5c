"""What we say of a request and what Contour's Envoys do with it, for all examples of the specifications."""

from dataclasses import dataclass

import pytest
from cluster.edge import SPACE, Edge, Got, Sent, set_edge
from http_routing.tables import Case, gateway_json, groups, ingress_json, route_json

from kubectl_packetpath.cluster.http.asking import HttpWish, Overrides
from kubectl_packetpath.cluster.http.decision import Decision
from kubectl_packetpath.cluster.http.plan import plans
from kubectl_packetpath.cluster.http.request import request_of
from kubectl_packetpath.cluster.model import Cluster as Objects
from kubectl_packetpath.sources.api import Access, Api
from kubectl_packetpath.sources.apiserver import read_for_requests
from testbed.addons import contour
from testbed.cluster import Cluster
from testbed.waiting import DeadlineError, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.bed(nodes=2, proxy="nftables", network="bridge")]
INGRESS = groups("ingress.yaml")


def _fits(group: Case) -> bool:
    """Envoy here has one port without TLS, and gRPC needs HTTP/2."""
    listeners = group.get("listeners", [])
    plain = all(each[1:3] == [80, "HTTP"] and not each[4:] for each in listeners)
    return plain and all(each.get("kind", "HTTPRoute") == "HTTPRoute" for each in group["routes"])


GATEWAY = [each for each in groups("gateway.yaml") if _fits(each) and not each["routes"][0].get("namespace")]
LISTENERS = [
    {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
]


@pytest.fixture
def edge(cluster: Cluster) -> Edge:
    """The proxies, without any rules."""
    found = set_edge(cluster)
    found.clear()
    found.listeners(LISTENERS)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Compares a group of requests."""

    edge: Edge
    servers: dict[str, str]
    cases: list[Case]
    objects: Objects

    def differences(self) -> list[str]:
        """One sentence for each request that went elsewhere."""
        sent = [_sent(case) for case in self.cases]
        pairs = zip(self.cases, sent, self.edge.send(sent), strict=True)
        return [text for case, each, got in pairs if (text := self._difference(case, each, got))]

    def _difference(self, case: Case, sent: Sent, got: Got) -> str:
        decision = self.decided(case)
        expected = decision.status or 200
        names = {self.servers.get(each.backend.target.name, "?") for each in decision.shares}
        if got.status != expected:
            return f"{sent.url}: predicted {expected} ({decision.reason}), got {got.status} {got.body}"
        if expected == 200 and got.body not in names:
            return f"{sent.url}: predicted {names} ({decision.reason}), got {got.body}"
        if decision.location and got.location != decision.location:
            return f"{sent.url}: predicted {decision.location}, got {got.location}"
        return "" if decision.is_certain else f"{sent.url}: not certain: {decision.doubts}"

    def decided(self, case: Case) -> Decision:
        """What we say, from the cluster's own objects."""
        headers = tuple(case.get("headers", {}).items())
        if "host" in case:
            headers = (*headers, ("Host", case["host"]))
        overrides = Overrides(method=case.get("method", ""), headers=headers)
        wish = HttpWish(url=case["url"], namespace=SPACE, overrides=overrides)
        return plans(wish, self.objects)[0].decision


def _sent(case: Case) -> Sent:
    request = request_of(case["url"])
    path = case["url"].split("://", 1)[1]
    target = "/" + path.partition("/")[2]
    return Sent(
        url=case["url"],
        host=case.get("host", request.host),
        path=target,
        method=case.get("method", "GET"),
        headers=tuple(case.get("headers", {}).items()),
    )


def _agree(edge: Edge, servers: dict[str, str], group: Case) -> None:
    """Until Envoy does as predicted; what still differs at the end is the failure."""
    api = Api.connect(Access(kubeconfig=str(edge.cluster.kubeconfig)))
    cases = [each for each in group["requests"] if each["url"].startswith("http://")]

    def compare() -> list[str]:
        objects = read_for_requests(api, [SPACE])
        return Parity(edge=edge, servers=servers, cases=cases, objects=objects).differences()

    try:
        wait_until("Envoy does as predicted", lambda: not compare(), timeout_seconds=15, every_seconds=0.3)
    except DeadlineError:
        assert compare() == []


@pytest.mark.parametrize("group", INGRESS, ids=[each["source"].rpartition("/")[2] for each in INGRESS])
def test_ingresses(edge: Edge, group: Case) -> None:
    """The examples of the Ingress specification."""
    shorts = [each | {"class": "contour"} for each in group["ingresses"]]
    names = [rule[3] for each in shorts for rule in each.get("rules", ()) if len(rule) > 3]
    servers = edge.services([*names, *(each["default"] for each in shorts if "default" in each)])
    for number, short in enumerate(shorts):
        written = ingress_json(number, short) | {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}
        written["metadata"]["namespace"] = SPACE
        del written["metadata"]["creationTimestamp"]
        edge.cluster.kube.apply(written)

    _agree(edge, servers, group)


@pytest.mark.parametrize("group", GATEWAY, ids=[each["source"].rpartition("/")[2] for each in GATEWAY])
def test_routes(edge: Edge, group: Case) -> None:
    """The Gateway API's conformance cases."""
    listeners = gateway_json(group)["spec"]["listeners"]
    for each in listeners:
        each["allowedRoutes"] = {"namespaces": {"from": "All"}}
    edge.listeners(listeners)
    names = []
    for number, short in enumerate(group["routes"]):
        written = route_json(number, short)
        written |= {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
        written["metadata"] = {"namespace": SPACE, "name": f"r{number}"}
        for parent in written["spec"]["parentRefs"]:
            parent |= {"namespace": contour.NAMESPACE, "name": contour.GATEWAY}
        for rule in written["spec"]["rules"]:
            names += [ref["name"] for ref in rule.get("backendRefs", ())]
            if not rule["matches"]:
                del rule["matches"]
        edge.cluster.kube.apply(written)

    _agree(edge, edge.services(names), group)
