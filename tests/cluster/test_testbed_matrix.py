"""Services work on every pod network behind every proxy: proven with real connections."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address

import pytest

from testbed.addresses import Address
from testbed.cluster import Cluster
from testbed.control import Node, Pod
from testbed.networks import NETWORKS
from testbed.traffic import Protocol, Reached, attempt, connect, pods_reached, sctp_server
from testbed.waiting import DeadlineError, wait_until
from testbed.workloads import SCTP_PORT, Server

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.bed(family="dual", proxies={"node2": "iptables-legacy", "node3": "nftables"}),
    pytest.mark.parametrize("cluster", [{"network": each.name} for each in NETWORKS], ids=str, indirect=True),
]
NODES = ("node1", "node2", "node3")
"""With the proxies iptables-nft, iptables-legacy and nftables."""
TRIES = 40
"""Enough that three pods, each picked with the same chance, are all seen (missing one: once in 10 million runs)."""
PORTS: dict[Protocol, tuple[int, str]] = {"tcp": (80, "http"), "udp": (81, "udp"), "sctp": (82, "sctp")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One server on each node, all behind one Service, and each behind one of its own."""

    cluster: Cluster
    pods: dict[str, Pod]
    service: dict[int, Address]
    """Its ClusterIP in each IP version."""
    node_ports: dict[str, int]
    own_service: dict[str, Address]
    """Per node: the ClusterIP of a Service with that node's pod alone."""

    @property
    def names(self) -> set[str]:
        """All servers."""
        return {pod.name for pod in self.pods.values()}


STAGES: dict[str, Stage | DeadlineError] = {}


@pytest.fixture
def stage(cluster: Cluster) -> Stage:
    """The servers, made once per cluster."""
    if cluster.spec.name not in STAGES:
        try:
            STAGES[cluster.spec.name] = _set(cluster)
        except DeadlineError as error:
            STAGES[cluster.spec.name] = error
    stage = STAGES[cluster.spec.name]
    assert isinstance(stage, Stage), f"The servers do not run: {stage}"
    return stage


def _set(cluster: Cluster) -> Stage:
    space = "matrix"
    kube = cluster.kube
    cluster.create_namespace(space)
    everyone = Server(name="everyone", namespace=space)
    kube.apply(everyone.service(type="NodePort", families=2))
    for node in NODES:
        server = Server(name=f"on-{node}", namespace=space, node=node)
        own = server.pod(labels=everyone.labels | {"node": node})
        own["metadata"]["labels"] |= {"app": "everyone"}
        kube.apply(own, server.service(selector={"node": node}))
    wait_until("the servers are ready", lambda: _all_ready(cluster, space))
    service = kube.get("Service", "everyone", space)["spec"]
    stage = Stage(
        cluster=cluster,
        pods={node: cluster.pod(space, f"on-{node}") for node in NODES},
        service={address.version: address for address in map(ip_address, service["clusterIPs"])},
        node_ports={each["name"]: each["nodePort"] for each in service["ports"]},
        own_service={
            n: ip_address(kube.get("Service", f"on-{n}", space)["spec"]["clusterIP"]) for n in NODES
        },
    )
    for place in cluster.nodes:
        for version in (4, 6):
            wait_until(f"{place.name} knows the servers", partial(_sees_all, stage, place, version))
    return stage


def _all_ready(cluster: Cluster, space: str) -> bool:
    pods = cluster.kube.list("Pod", space)
    return len(pods) == len(NODES) and all(
        any(
            each["type"] == "Ready" and each["status"] == "True"
            for each in pod["status"].get("conditions", [])
        )
        for pod in pods
    )


def _sees_all(stage: Stage, node: Node, version: int) -> bool:
    seen = attempt(node, stage.service[version], 80, count=TRIES, timeout_seconds=0.5)
    return set(pods_reached(seen)) == stage.names and all(isinstance(each, Reached) for each in seen)


@pytest.mark.parametrize("node", NODES)
def test_pod_reaches_cluster_ip(stage: Stage, node: str) -> None:
    """A pod reaches a ClusterIP on its own node and on the others, and is seen with its own address elsewhere."""
    client = stage.pods[node]
    results = attempt(client, stage.service[4], 80, count=TRIES)
    assert set(pods_reached(results)) == stage.names
    others = {
        each.client_address for each in results if isinstance(each, Reached) and each.pod != client.name
    }
    assert others == {client.address()}
    assert all(isinstance(each, Reached) for each in results)


@pytest.mark.parametrize("node", NODES)
def test_node_reaches_cluster_ip(stage: Stage, node: str) -> None:
    """A program on a node reaches a ClusterIP on its own node and on the others."""
    results = attempt(stage.cluster.node(node), stage.service[4], 80, count=TRIES)
    assert set(pods_reached(results)) == stage.names
    assert all(isinstance(each, Reached) for each in results)


@pytest.mark.parametrize("node", NODES)
def test_outside_reaches_node_port(stage: Stage, node: str) -> None:
    """A client outside reaches a NodePort of each node, and through it the pods of all nodes."""
    address = stage.cluster.node(node).address()
    results = attempt(stage.cluster.outside, address, stage.node_ports["http"], count=TRIES)
    assert set(pods_reached(results)) == stage.names
    assert stage.cluster.plan.client(4) not in {
        each.client_address for each in results if isinstance(each, Reached)
    }
    assert all(isinstance(each, Reached) for each in results)


@pytest.mark.parametrize("node", NODES)
def test_hairpin(stage: Stage, node: str) -> None:
    """A pod reaches itself through a Service, and sees another address than its own as the client."""
    pod = stage.pods[node]
    result = connect(pod, stage.own_service[node], 80)
    assert isinstance(result, Reached)
    assert (pod.name, False) == (result.pod, result.client_address == pod.address())


@pytest.mark.parametrize("node", NODES)
def test_udp(stage: Stage, node: str) -> None:
    """Datagrams reach a ClusterIP and a NodePort."""
    inside = attempt(stage.pods[node], stage.service[4], 81, "udp", count=TRIES)
    address = stage.cluster.node(node).address()
    outside = attempt(stage.cluster.outside, address, stage.node_ports["udp"], "udp", count=TRIES)
    assert (stage.names, stage.names) == (set(pods_reached(inside)), set(pods_reached(outside)))


@pytest.mark.parametrize("node", NODES)
def test_sctp(stage: Stage, node: str) -> None:
    """SCTP associations open through a ClusterIP and a NodePort."""
    with ExitStack() as servers:
        for pod in stage.pods.values():
            servers.enter_context(sctp_server(pod, SCTP_PORT))
        inside = attempt(stage.pods[node], stage.service[4], 82, "sctp", count=TRIES)
        address = stage.cluster.node(node).address()
        outside = attempt(stage.cluster.outside, address, stage.node_ports["sctp"], "sctp", count=TRIES)
    assert (stage.names, stage.names) == (set(pods_reached(inside)), set(pods_reached(outside)))


@pytest.mark.parametrize("node", NODES)
def test_ipv6(stage: Stage, node: str) -> None:
    """All of it works over IPv6: pod and node to ClusterIP, outside to NodePort."""
    inside = attempt(stage.pods[node], stage.service[6], 80, count=TRIES)
    host = attempt(stage.cluster.node(node), stage.service[6], 80, count=TRIES)
    address = stage.cluster.node(node).address(6)
    outside = attempt(stage.cluster.outside, address, stage.node_ports["http"], count=TRIES)
    assert [stage.names] * 3 == [set(pods_reached(each)) for each in (inside, host, outside)]
