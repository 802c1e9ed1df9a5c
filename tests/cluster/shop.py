"""A shop behind Contour's Envoys: rules for shop.test, requests to it from outside, and what the program tells of them."""

import json
from typing import Any

from cluster.edge import SPACE, Edge, Got, Sent, set_edge
from cluster.prediction import packetpath

from testbed.addons import contour
from testbed.cluster import Cluster
from testbed.waiting import wait_until

EVERYWHERE = {"namespaces": {"from": "All"}}
HTTP = {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": EVERYWHERE}
PARENT = {"namespace": contour.NAMESPACE, "name": contour.GATEWAY}


def open_shop(cluster: Cluster) -> Edge:
    """The proxies, without any rules, and two Services `one` and `two`."""
    found = set_edge(cluster)
    found.clear()
    found.listeners([HTTP])
    found.services(["one", "two"])
    return found


def path(service: str, value: str = "/", kind: str = "Prefix", port: int = 80) -> dict[str, Any]:
    """One path of an Ingress."""
    return {
        "path": value,
        "pathType": kind,
        "backend": {"service": {"name": service, "port": {"number": port}}},
    }


def ingress(edge: Edge, *paths: dict[str, Any], **spec: Any) -> None:
    """An Ingress `shop` for shop.test."""
    rules = [{"host": "shop.test", "http": {"paths": list(paths)}}]
    edge.cluster.kube.apply(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"namespace": SPACE, "name": "shop"},
            "spec": {"ingressClassName": "contour", "rules": rules} | spec,
        }
    )


def route(edge: Edge, *rules: dict[str, Any], **parent: Any) -> None:
    """An HTTPRoute `shop` for shop.test."""
    edge.cluster.kube.apply(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"namespace": SPACE, "name": "shop"},
            "spec": {
                "parentRefs": [PARENT | parent],
                "hostnames": ["shop.test"],
                "rules": list(rules),
            },
        }
    )


def get(edge: Edge, value: str = "/", host: str = "shop.test") -> Got:
    """One request from outside."""
    return edge.send([Sent(url="", host=host, path=value)])[0]


def wait_for(edge: Edge, status: int, value: str = "/", host: str = "shop.test") -> None:
    """Until Envoy answers so."""
    wait_until(f"Envoy answers {status}", lambda: get(edge, value, host).status == status, timeout_seconds=20)


def told(edge: Edge, *words: str, expect: int) -> dict[str, Any]:
    """The first request that the program tells of."""
    said = packetpath(edge.cluster, *words, "-n", SPACE, expect=expect)
    return dict(json.loads(said.out)["requests"][0])


def ways(connection: dict[str, Any]) -> list[dict[str, Any]]:
    """The ways of a connection."""
    answer = connection["answer"]
    return list(answer.get("ways", [answer]))
