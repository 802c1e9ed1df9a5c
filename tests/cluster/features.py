"""A namespace with one Service for each feature that Kubernetes gives to Services, for the feature tests."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from cluster.stage import NODES

from testbed.cluster import Cluster
from testbed.control import Pod
from testbed.traffic import Reached, connect
from testbed.waiting import wait_until
from testbed.workloads import TCP_PORT, Manifest, Server, namespace

SPACE = "features"
ZONES = {"node1": "east", "node2": "west", "node3": "west"}
ZONE_LABEL = "topology.kubernetes.io/zone"
ALLOWED_IP, FORBIDDEN_IP, PROXIED_IP = "192.0.2.101", "192.0.2.102", "192.0.2.103"
SLICES = "discovery.k8s.io/v1"
HTTP = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": TCP_PORT}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What runs on one cluster for these tests."""

    cluster: Cluster

    def pod(self, name: str) -> Pod:
        """One of the namespace's pods."""
        return self.cluster.pod(SPACE, name)

    def spec(self, name: str) -> dict[str, Any]:
        """The specification of a Service."""
        spec: dict[str, Any] = self.cluster.kube.get("Service", name, SPACE)["spec"]
        return spec

    def cluster_ip(self, name: str, version: int = 4) -> str:
        """Its ClusterIP in one IP version."""
        return next(str(ip) for ip in self.spec(name)["clusterIPs"] if (":" in ip) == (version == 6))

    def node_port(self, name: str) -> int:
        """Its node port."""
        return int(self.spec(name)["ports"][0]["nodePort"])

    def settle(self) -> None:
        """Wait until every node's proxy has taken in all that was changed before: it learns of a new Service last."""
        server = Server(name="web", namespace=SPACE)
        self.cluster.kube.delete(server.service(name="canary"))
        self.cluster.kube.apply(server.service(name="canary", ports=HTTP))
        address = self.cluster_ip("canary")
        for node in self.cluster.nodes:
            wait_until(f"{node.name} knows the newest Service", partial(_reaches, self, node.name, address))

    def await_endpoints(self, name: str, wanted: Callable[[list[dict[str, Any]]], bool]) -> None:
        """Wait until the API's endpoints of a Service are as wanted."""

        def look() -> bool:
            label = f"kubernetes.io/service-name={name}"
            slices = self.cluster.kube.list("EndpointSlice", SPACE, api=SLICES, labels=label)
            return wanted([each for part in slices for each in part.get("endpoints") or []])

        wait_until(f"the endpoints of {name} are as wanted", look)


def _reaches(features: Features, node: str, address: str) -> bool:
    return isinstance(connect(features.cluster.node(node), address, 80, timeout_seconds=0.5), Reached)


def make(cluster: Cluster) -> Features:
    """Everything, running and known to all nodes."""
    features, kube = Features(cluster=cluster), cluster.kube
    for node, zone in ZONES.items():
        kube.patch({**_node(node), "metadata": {"name": node, "labels": {ZONE_LABEL: zone}}})
    kube.apply(namespace(SPACE))
    wait_until("the service account", lambda: kube.list("ServiceAccount", SPACE))
    kube.apply(*_pods(), *_services(cluster))
    for name, ip in (("allowed", ALLOWED_IP), ("forbidden", FORBIDDEN_IP), ("proxied", PROXIED_IP)):
        _publish(cluster, name, ip, "Proxy" if name == "proxied" else "VIP")
    _manual_slice(features)
    features.await_endpoints("all", lambda each: sum(_ready(e) for e in each) == 2 * len(NODES))
    features.await_endpoints("one", lambda each: sum(_ready(e) for e in each) == 2)
    features.await_endpoints("near", lambda each: all(e.get("hints") for e in each) and len(each) == 6)
    features.await_endpoints("host", lambda each: any(_ready(e) for e in each))
    features.await_endpoints("unready", lambda each: len(each) == 1)
    features.settle()
    return features


def _ready(endpoint: dict[str, Any]) -> bool:
    return bool(endpoint["conditions"].get("ready"))


def _node(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}


def _pods() -> list[Manifest]:
    pods = []
    for node in NODES:
        server = Server(name=f"server-{node}", namespace=SPACE, node=node).pod()
        server["metadata"]["labels"] = {"app": "web", "on": node}
        pods += [server, Server(name=f"client-{node}", namespace=SPACE, node=node).pod()]
    host = Server(name="host-node2", namespace=SPACE, node="node2", host_network=True).pod()
    unready = Server(name="unready", namespace=SPACE, node="node3", gated=True).pod()
    return [*pods, host, unready]


def _services(cluster: Cluster) -> list[Manifest]:
    web = Server(name="web", namespace=SPACE)
    one = {"app": "web", "on": "node1"}
    outside = str(cluster.plan.client(4))
    balanced = partial(web.service, type="LoadBalancer", ports=HTTP)
    both = len(cluster.spec.family.versions)
    return [
        web.service(name="all", families=both, type="NodePort", ports=HTTP),
        web.service(
            name="one",
            families=both,
            type="LoadBalancer",
            ports=HTTP,
            selector=one,
            externalTrafficPolicy="Local",
        ),
        web.service(name="inside", ports=HTTP, selector=one, internalTrafficPolicy="Local"),
        web.service(name="sticky", ports=HTTP, sessionAffinity="ClientIP"),
        web.service(name="near", families=both, ports=HTTP, trafficDistribution="PreferSameZone"),
        balanced(name="allowed", loadBalancerSourceRanges=[f"{outside}/32"]),
        balanced(name="forbidden", loadBalancerSourceRanges=["203.0.113.0/24"]),
        balanced(name="proxied"),
        web.service(name="host", ports=HTTP, selector={"app": "host-node2"}),
        web.service(name="unready", ports=HTTP, selector={"app": "unready"}),
        web.service(name="anyway", ports=HTTP, selector={"app": "unready"}, publishNotReadyAddresses=True),
        _without_selector(web.service(name="manual", ports=HTTP)),
    ]


def _without_selector(service: Manifest) -> Manifest:
    del service["spec"]["selector"]
    return service


def _publish(cluster: Cluster, name: str, address: str, mode: str) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": SPACE}}
    status = {"loadBalancer": {"ingress": [{"ip": address, "ipMode": mode}]}}
    cluster.kube.patch(service | {"status": status}, subresource="status")


def _manual_slice(features: Features) -> None:
    """An EndpointSlice written by hand: the web server of node2, without saying which pod or node it is."""
    kube = features.cluster.kube
    wait_until("server-node2 runs", lambda: kube.get("Pod", "server-node2", SPACE)["status"].get("podIP"))
    address = kube.get("Pod", "server-node2", SPACE)["status"]["podIP"]
    metadata = {
        "name": "manual-1",
        "namespace": SPACE,
        "labels": {"kubernetes.io/service-name": "manual"},
    }
    kube.apply(
        {
            "apiVersion": SLICES,
            "kind": "EndpointSlice",
            "metadata": metadata,
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": TCP_PORT, "protocol": "TCP"}],
            "endpoints": [{"addresses": [address]}],
        }
    )
