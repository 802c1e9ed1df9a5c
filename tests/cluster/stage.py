"""A namespace full of Services for the path tests: servers, clients on each node, healthy and broken Services."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from cluster.prediction import PROGRAM, run_program

from testbed.cluster import Cluster
from testbed.connections import forget_connections
from testbed.control import Pod
from testbed.faults import set_gate
from testbed.images import product
from testbed.traffic import Reached, attempt, pods_reached
from testbed.waiting import wait_until
from testbed.workloads import Server, namespace

NODES = ("node1", "node2", "node3")
SPACE = "paths"
EXTERNAL_IP = "192.0.2.80"
LOAD_BALANCER_IP = "192.0.2.90"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What runs on one cluster for these tests."""

    cluster: Cluster

    def client(self, node: str) -> Pod:
        """The client pod of a node."""
        return self.cluster.pod(SPACE, f"client-{node}")

    def service(self, name: str) -> dict[str, Any]:
        """The specification of a Service."""
        spec: dict[str, Any] = self.cluster.kube.get("Service", name, SPACE)["spec"]
        return spec

    def cluster_ip(self, name: str, version: int = 4) -> str:
        """Its ClusterIP in one IP version."""
        addresses: list[str] = self.service(name)["clusterIPs"]
        return next(ip for ip in addresses if (":" in ip) == (version == 6))

    def node_port(self, name: str, port: str = "http") -> int:
        """One of its node ports."""
        return next(int(p["nodePort"]) for p in self.service(name)["ports"] if p["name"] == port)


STAGES: dict[str, Stage] = {}


def stage_of(cluster: Cluster) -> Stage:
    """Servers, clients, Services and the agent, made once per cluster; what earlier tests sent is forgotten."""
    name = cluster.spec.name
    if name not in STAGES:
        stage = set_stage(cluster)
        install_agent(cluster)
        set_gate(cluster.kube, SPACE, "web-node3", open_=True)
        wait_for_endpoints(stage)
        STAGES[name] = stage
    forget_connections(cluster, SPACE)
    return STAGES[name]


def install_agent(cluster: Cluster) -> None:
    """The product's own way: the image from its Dockerfile, the manifests through its command."""
    image = f"localhost/packetpath-agent:{product.content_key(product.REPOSITORY, product.IMAGE)[:12]}"
    cluster.load_image(product.build_product_image(name=image))
    run_program("agent", "install", "--yes", "--image", image, "--kubeconfig", str(cluster.kubeconfig))


def set_stage(cluster: Cluster) -> Stage:
    """Make everything and wait until every node's kube-proxy knows it."""
    kube = cluster.kube
    kube.apply(namespace(SPACE))
    wait_until("the service account", lambda: kube.list("ServiceAccount", SPACE))
    families = len(cluster.spec.family.versions)
    web = Server(name="web", namespace=SPACE)
    load_balanced = web.service(name="balanced", families=families, type="LoadBalancer")
    load_balanced["spec"]["externalIPs"] = [EXTERNAL_IP]
    kube.apply(
        web.service(families=families, type="NodePort"),
        load_balanced,
        web.service(name="headless", families=families, clusterIP="None"),
        _ports(web.service(name="deaf", families=families), 9090),
        web.service(name="nobody", families=families, selector={"app": "no-such"}, type="NodePort"),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "elsewhere", "namespace": SPACE},
            "spec": {"type": "ExternalName", "externalName": "db.example.com"},
        },
    )
    for node in NODES:
        server = Server(name=f"web-{node}", namespace=SPACE, node=node, gated=node == "node3").pod()
        server["metadata"]["labels"] |= web.labels
        kube.apply(server, Server(name=f"client-{node}", namespace=SPACE, node=node).pod())
    kube.patch(
        load_balanced
        | {"status": {"loadBalancer": {"ingress": [{"ip": LOAD_BALANCER_IP, "ipMode": "VIP"}]}}},
        subresource="status",
    )
    return Stage(cluster=cluster)


def _ports(service: dict[str, Any], target: int) -> dict[str, Any]:
    service["spec"]["ports"] = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": target}]
    return service


def knows_all(stage: Stage, node: str, version: int, names: set[str]) -> bool:
    """Whether a node's kube-proxy has all endpoints of `web`."""
    place = stage.cluster.node(node)
    seen = attempt(place, stage.cluster_ip("web", version), 80, count=40, timeout_seconds=0.5)
    return set(pods_reached(seen)) == names and all(isinstance(each, Reached) for each in seen)


def wait_for_endpoints(stage: Stage) -> None:
    """Until each node sends to each ready server."""
    names = {f"web-{node}" for node in NODES}
    for node in NODES:
        for version in stage.cluster.spec.family.versions:
            wait_until(f"{node} knows the servers", partial(knows_all, stage, node, version, names))


__all__ = ["NODES", "PROGRAM", "SPACE", "Stage", "install_agent", "stage_of", "wait_for_endpoints"]
