"""Contour, Envoy and MetalLB on a cluster, servers that tell their names, and requests sent from outside."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.stage import install_agent

from testbed.addons import contour, metallb
from testbed.cluster import Cluster
from testbed.images import AGNHOST
from testbed.waiting import wait_until

SPACE = "edge-tests"
SERVERS = 8
ROUTES = (("HTTPRoute", "gateway.networking.k8s.io/v1"), ("Ingress", "networking.k8s.io/v1"))
SEND = """
import http.client, json, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

def send(each):
    if each["tls"]:
        link = http.client.HTTPSConnection(each["address"], each["port"], timeout=5, context=context)
        plain = __import__("socket").create_connection((each["address"], each["port"]), 5)
        link.sock = context.wrap_socket(plain, server_hostname=each["name"] or None)
    else:
        link = http.client.HTTPConnection(each["address"], each["port"], timeout=5)
    try:
        link.putrequest(each["method"], each["path"], skip_host=True, skip_accept_encoding=True)
        link.putheader("Host", each["host"])
        for name, value in each["headers"].items():
            link.putheader(name, value)
        link.putheader("Content-Length", "0")
        link.endheaders()
        answer = link.getresponse()
        return {"status": answer.status, "body": answer.read().decode(errors="replace").strip(),
                "location": answer.headers.get("Location", "")}
    except OSError as error:
        return {"status": None, "body": str(error), "location": ""}
    except http.client.HTTPException as error:
        return {"status": None, "body": repr(error), "location": ""}
    finally:
        link.close()
json.dump([send(each) for each in json.load(sys.stdin)], sys.stdout)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request as a client outside sends it."""

    url: str
    host: str
    path: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    port: int = 80
    tls: bool = False
    address: str = ""
    """Where to; empty: where MetalLB publishes the proxies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """What came back."""

    status: int | None
    """None: no answer, and `body` says why."""
    body: str
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What runs on one cluster for these tests."""

    cluster: Cluster

    @property
    def address(self) -> str:
        """Under which MetalLB publishes the Envoys."""
        status = self.cluster.kube.get("Service", "envoy", contour.NAMESPACE)["status"]
        return str(status["loadBalancer"]["ingress"][0]["ip"])

    def send(self, requests: Sequence[Sent]) -> list[Got]:
        """All of them from outside, one after the other."""
        published = self.address
        given = [
            {
                "address": each.address or published,
                "port": each.port,
                "host": each.host,
                "name": each.host.partition(":")[0],
                "path": each.path,
                "method": each.method,
                "headers": dict(each.headers),
                "tls": each.tls,
            }
            for each in requests
        ]
        said = self.cluster.outside.run(["python3", "-c", SEND], stdin=json.dumps(given), timeout_seconds=240)
        return [Got(**each) for each in json.loads(said)]

    def clear(self) -> None:
        """Take away all rules, and Services in front of the servers."""
        kube = self.cluster.kube
        for kind, api in ROUTES:
            kube.delete(*kube.list(kind, SPACE, api))
        kube.delete(*kube.list("Service", SPACE))

    def services(self, names: Sequence[str]) -> dict[str, str]:
        """A Service for each name, each with a server of its own; the server of each name."""
        servers = {name: f"server-{number}" for number, name in enumerate(dict.fromkeys(names))}
        for name, server in servers.items():
            spec = {
                "selector": {"app": server},
                "ports": [
                    {"name": "http", "port": 80, "targetPort": 8080},
                    {"name": "also", "port": 8080, "targetPort": 8080},
                ],
            }
            meta = {"namespace": SPACE, "name": name}
            self.cluster.kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
        return servers

    def listeners(self, listeners: list[dict[str, Any]]) -> None:
        """Give the Gateway other listeners."""
        gateway = {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"namespace": contour.NAMESPACE, "name": contour.GATEWAY},
            "spec": {"gatewayClassName": "contour", "listeners": listeners},
        }
        self.cluster.kube.apply(gateway)


def _servers() -> Iterator[dict[str, Any]]:
    for number in range(SERVERS):
        name = f"server-{number}"
        container = {
            "name": "server",
            "image": AGNHOST,
            "args": ["serve-hostname", "--http", "--port=8080"],
            "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        }
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"namespace": SPACE, "name": name, "labels": {"app": name}},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "automountServiceAccountToken": False,
                "containers": [container],
            },
        }


def set_edge(cluster: Cluster) -> Edge:
    """Install everything, unless it is there."""
    if not cluster.kube.list("Namespace") or SPACE not in {
        each["metadata"]["name"] for each in cluster.kube.list("Namespace")
    }:
        metallb.install(cluster)
        contour.install(cluster)
        install_agent(cluster)
        cluster.create_namespace(SPACE)
        cluster.kube.apply(*_servers())
    edge = Edge(cluster=cluster)

    def ready() -> bool:
        pods = cluster.kube.list("Pod", SPACE)
        return len(pods) >= SERVERS and all(
            any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
            for pod in pods
        )

    wait_until("the servers are ready", ready)
    wait_until("MetalLB gives an address", lambda: _has_address(edge))
    return edge


def _has_address(edge: Edge) -> bool:
    status = edge.cluster.kube.get("Service", "envoy", contour.NAMESPACE)["status"]
    return bool(status.get("loadBalancer", {}).get("ingress"))
