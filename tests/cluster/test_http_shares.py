"""200 real requests each, from outside, by HTTP and HTTPS, through Ingress and Gateway API, by ARP and by BGP.

What the program says of hosts, paths, headers and weights is held against who answers, and the client that it says the
proxy sees against the one that the proxy passes on.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from cluster.edge import SPACE, Edge, Sent
from cluster.prediction import packetpath
from cluster.routed import NAME, publish
from cluster.shop import EVERYWHERE, HTTP, PARENT, open_shop, path, told
from cluster.test_http_tls import secret

from testbed.addons import contour
from testbed.cluster import Cluster
from testbed.waiting import wait_until
from testbed.workloads import Server

pytestmark = [pytest.mark.cluster, pytest.mark.bed(nodes=2, proxy="nftables", network="bridge")]
CLIENT = "198.51.100.2"
REQUESTS = 200
FAR = 4.5
"""Standard deviations that chance does not reach."""
SERVERS = ("north", "south")
HOSTS = ("shop.test", "api.test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request, sent again and again."""

    name: str
    host: str = "shop.test"
    path: str = "/hostname"
    headers: tuple[tuple[str, str], ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)


BY_HOST = Case(name="host", host="api.test", shares={"south": 1})
BY_PATH = Case(name="path", path="/hostName", shares={"south": 1})
BY_HEADER = Case(name="header", headers=(("x-canary", "yes"),), shares={"south": 1})
BY_WEIGHT = Case(name="weights", shares={"north": 0.75, "south": 0.25})
BY_NOTHING = Case(name="rest", shares={"north": 1})
CASES = {"ingress": (BY_HOST, BY_PATH, BY_NOTHING), "gateway": (BY_HOST, BY_PATH, BY_HEADER, BY_WEIGHT)}


@pytest.fixture
def edge(cluster: Cluster) -> Edge:
    """Two servers that tell their names and whom the proxy saw, and listeners with and without TLS."""
    found = open_shop(cluster)
    for name in SERVERS:
        server = Server(name=name, namespace=SPACE)
        cluster.kube.apply(server.pod(), server.service())
    secret(found, "both", *HOSTS)
    tls = {"certificateRefs": [{"name": "both"}]}
    https = {"name": "https", "port": 443, "protocol": "HTTPS", "tls": tls, "allowedRoutes": EVERYWHERE}
    found.listeners([HTTP, https])
    return found


def by_ingress(edge: Edge) -> None:
    """Hosts and paths; an Ingress has no headers and no weights."""
    rules = (
        ("shop.test", [path("north"), path("south", "/hostName")]),
        ("api.test", [path("south")]),
    )
    spec = {
        "ingressClassName": "contour",
        "rules": [{"host": host, "http": {"paths": paths}} for host, paths in rules],
        "tls": [{"hosts": list(HOSTS), "secretName": "both"}],
    }
    annotations = {"ingress.kubernetes.io/force-ssl-redirect": "false"}
    meta = {"namespace": SPACE, "name": "shop", "annotations": annotations}
    written = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": spec}
    edge.cluster.kube.apply(written)


def by_gateway(edge: Edge) -> None:
    """All four, by two routes."""
    both = [{"name": name, "port": 80, "weight": weight} for name, weight in (("north", 3), ("south", 1))]
    south = [both[1]]
    canary = {"headers": [{"name": "x-canary", "value": "yes"}]}
    longer = {"path": {"type": "PathPrefix", "value": "/hostName"}}
    rules = {
        "shop.test": [
            {"matches": [longer], "backendRefs": south},
            {"matches": [canary], "backendRefs": south},
            {"backendRefs": both},
        ],
        "api.test": [{"backendRefs": south}],
    }
    for host, listed in rules.items():
        spec = {"parentRefs": [PARENT], "hostnames": [host], "rules": listed}
        meta = {"namespace": SPACE, "name": host.replace(".", "-")}
        edge.cluster.kube.apply(
            {
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "HTTPRoute",
                "metadata": meta,
                "spec": spec,
            }
        )


MAKE = {"ingress": by_ingress, "gateway": by_gateway}


def sent(case: Case, scheme: str, address: str, value: str) -> Sent:
    """The request as it is really sent."""
    tls = scheme == "https"
    port = 443 if tls else 80
    return Sent(url="", host=case.host, path=value, headers=case.headers, port=port, tls=tls, address=address)


def answers(edge: Edge, case: Case, scheme: str, address: str) -> bool:
    """Whether the right ones answer this request by now."""
    got = edge.send([sent(case, scheme, address, case.path)] * 8)
    return all(each.status == 200 and each.body in case.shares for each in got)


def ways_in(edge: Edge, service: str, scheme: str) -> list[dict[str, Any]]:
    """What is said of the ways from the client to this balancer's address."""
    target = f"svc/{service}:{scheme}"
    said = packetpath(edge.cluster, target, "-n", contour.NAMESPACE, "--from", f"outside:{CLIENT}")
    return [way for way in said.ways if way["question"]["way"] == "LoadBalancer"]


def all_arrive(edge: Edge, service: str, scheme: str) -> bool:
    """Whether every proxy listens by now."""
    return {way["verdict"] for way in ways_in(edge, service, scheme)} == {"DELIVERED"}


@pytest.mark.parametrize("announced", ["arp", "bgp"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("kind", CASES)
def test_who_answers_and_whom_the_proxy_sees(edge: Edge, kind: str, scheme: str, announced: str) -> None:
    """Exactly the backends that are told, in shares within what chance allows."""
    address, service = (publish(edge), NAME) if announced == "bgp" else (edge.address, "envoy")
    MAKE[kind](edge)
    wait_until("all proxies listen", partial(all_arrive, edge, service, scheme))
    clients = {p["packet"]["source"] for way in ways_in(edge, service, scheme) for p in way["paths"]}
    for case in CASES[kind]:
        wait_until(f"{case.name} is programmed", partial(answers, edge, case, scheme, address))
        headers = [word for name, value in case.headers for word in ("--header", f"{name}: {value}")]
        url = f"{scheme}://{case.host}{case.path}"
        request = told(edge, url, *headers, "--from", f"outside:{CLIENT}", expect=0)
        got = edge.send([sent(case, scheme, address, case.path)] * REQUESTS)
        forwarded = edge.send([sent(BY_NOTHING, scheme, address, "/header?key=X-Forwarded-For")] * 4)

        shares = {each["name"]: each["weight"] for each in request["decision"]["backends"]}
        seen = Counter(each.body for each in got)
        assert {each.status for each in got} == {200}
        assert shares == case.shares
        assert set(seen) == set(case.shares)
        for name, share in case.shares.items():
            assert abs(seen[name] / REQUESTS - share) <= FAR * math.sqrt(share * (1 - share) / REQUESTS)
        assert {each.body for each in forwarded} == clients
