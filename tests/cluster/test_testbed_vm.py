"""What this machine's kernel may lack works in the virtual machine: IPVS, and flannel over WireGuard and ipip."""

import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import pytest

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.codec import decode
from kubectl_packetpath.snapshot.recorded import RecordedNode
from testbed.addresses import Address
from testbed.cluster import Cluster, is_ready
from testbed.control import Node, Pod
from testbed.traffic import Reached, attempt, connect, pods_reached, sctp_server
from testbed.waiting import wait_until
from testbed.workloads import SCTP_PORT, TCP_PORT, Server

pytestmark = [pytest.mark.vm, pytest.mark.cluster]
wireguard = pytest.mark.bed(nodes=2, proxy="ipvs", network="flannel-wireguard", family="dual")
ipip = pytest.mark.bed(nodes=2, proxy="none", network="flannel-ipip")
NODES = ("node1", "node2")
TRIES = 8
"""IPVS takes turns (rr), so a few connections see all servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One server on each node, all behind one Service, and each behind one of its own."""

    cluster: Cluster
    pods: dict[str, Pod]
    services: dict[str, dict[int, Address]]
    """Per Service: its ClusterIP in each IP version."""
    node_ports: dict[str, int]

    @property
    def names(self) -> set[str]:
        """All servers."""
        return {pod.name for pod in self.pods.values()}


STAGES: dict[str, Stage] = {}
BALANCED: set[str] = set()
TCP = 6


@pytest.fixture
def stage(cluster: Cluster) -> Stage:
    """The servers, made once per cluster."""
    if cluster.spec.name not in STAGES:
        STAGES[cluster.spec.name] = _set(cluster)
    return STAGES[cluster.spec.name]


def _set(cluster: Cluster) -> Stage:
    space, kube = "vm", cluster.kube
    cluster.create_namespace(space)
    families = len(cluster.spec.family.versions)
    everyone = Server(name="everyone", namespace=space)
    kube.apply(everyone.service(type="NodePort", families=families))
    for node in NODES:
        server = Server(name=f"on-{node}", namespace=space, node=node)
        pod = server.pod()
        pod["metadata"]["labels"] = everyone.labels | {"node": node}
        kube.apply(pod, server.service(selector={"node": node}, families=families))
    wait_until("the servers are ready", lambda: all(map(is_ready, kube.list("Pod", space))))
    found = {each["metadata"]["name"]: each["spec"] for each in kube.list("Service", space)}
    addresses = {name: [ip_address(ip) for ip in spec["clusterIPs"]] for name, spec in found.items()}
    return Stage(
        cluster=cluster,
        pods={node: cluster.pod(space, f"on-{node}") for node in NODES},
        services={name: {each.version: each for each in listed} for name, listed in addresses.items()},
        node_ports={each["name"]: each["nodePort"] for each in found["everyone"]["ports"]},
    )


@pytest.fixture
def balanced(stage: Stage) -> Stage:
    """The servers, once every node's proxy knows all of them."""
    if stage.cluster.spec.name not in BALANCED:
        for node in stage.cluster.nodes:
            for version in stage.cluster.plan.versions:
                wait_until(f"{node.name} knows the servers", partial(_sees_all, stage, node, version))
        BALANCED.add(stage.cluster.spec.name)
    return stage


def _sees_all(stage: Stage, node: Node, version: int) -> bool:
    seen = attempt(node, stage.services["everyone"][version], 80, count=2 * TRIES)
    return set(pods_reached(seen)) == stage.names and all(isinstance(each, Reached) for each in seen)


@wireguard
@pytest.mark.parametrize("node", NODES)
def test_ipvs_pod_reaches_cluster_ip(balanced: Stage, node: str) -> None:
    """A pod reaches servers on its own node and on the other, which sees the pod's own address."""
    client = balanced.pods[node]
    results = attempt(client, balanced.services["everyone"][4], 80, count=TRIES)
    assert set(pods_reached(results)) == balanced.names
    elsewhere = [each for each in results if isinstance(each, Reached) and each.pod != client.name]
    assert {each.client_address for each in elsewhere} == {client.address()}


@wireguard
@pytest.mark.parametrize("node", NODES)
def test_ipvs_node_reaches_cluster_ip(balanced: Stage, node: str) -> None:
    """A program on a node reaches servers on both nodes."""
    results = attempt(balanced.cluster.node(node), balanced.services["everyone"][4], 80, count=TRIES)
    assert set(pods_reached(results)) == balanced.names


@wireguard
@pytest.mark.parametrize("node", NODES)
def test_ipvs_outside_reaches_node_port(balanced: Stage, node: str) -> None:
    """A client outside reaches servers on both nodes through a NodePort; no server sees the client's address."""
    address = balanced.cluster.node(node).address()
    results = attempt(balanced.cluster.outside, address, balanced.node_ports["http"], count=TRIES)
    assert set(pods_reached(results)) == balanced.names
    seen = {each.client_address for each in results if isinstance(each, Reached)}
    assert balanced.cluster.plan.client(4) not in seen


@wireguard
def test_ipvs_hairpin(balanced: Stage) -> None:
    """A pod reaches itself through a Service, and sees another address than its own as the client."""
    pod = balanced.pods["node1"]
    result = connect(pod, balanced.services["on-node1"][4], 80)
    assert isinstance(result, Reached), result
    assert (pod.name, False) == (result.pod, result.client_address == pod.address())


@wireguard
def test_ipvs_udp(balanced: Stage) -> None:
    """Datagrams reach a ClusterIP from a node and a NodePort from outside."""
    node = balanced.cluster.node("node2")
    inside = attempt(node, balanced.services["everyone"][4], 81, "udp", count=TRIES)
    outside = attempt(
        balanced.cluster.outside, node.address(), balanced.node_ports["udp"], "udp", count=TRIES
    )
    assert (balanced.names, balanced.names) == (set(pods_reached(inside)), set(pods_reached(outside)))


@wireguard
def test_ipvs_sctp(balanced: Stage) -> None:
    """SCTP associations open through a ClusterIP."""
    with ExitStack() as servers:
        for pod in balanced.pods.values():
            servers.enter_context(sctp_server(pod, SCTP_PORT))
        node = balanced.cluster.node("node1")
        results = attempt(node, balanced.services["everyone"][4], 82, "sctp", count=TRIES)
    assert set(pods_reached(results)) == balanced.names


@wireguard
def test_ipvs_ipv6(balanced: Stage) -> None:
    """A pod reaches servers on both nodes over IPv6."""
    results = attempt(balanced.pods["node1"], balanced.services["everyone"][6], 80, count=TRIES)
    assert set(pods_reached(results)) == balanced.names


@wireguard
def test_ipvs_state_comes_back(balanced: Stage, results: Path) -> None:
    """The agent in a node reads its virtual servers; the host finds its snapshot as a file."""
    file = results / "ipvs-node1.packetpath"
    file.parent.mkdir(parents=True, exist_ok=True)
    agent = [sys.executable, "-m", "packetpath_agent", "snapshot", "--node", "node1"]
    file.write_bytes(
        subprocess.run(
            [*balanced.cluster.node("node1").prefix, *agent],
            stdout=subprocess.PIPE,
            check=True,
            timeout=120,
        ).stdout
    )
    servers = RecordedNode(decode(file.read_bytes())).host().ipvs()
    assert not isinstance(servers, Absent)
    address = balanced.services["everyone"][4]
    (found,) = (each for each in servers if (each.address, each.port, each.protocol) == (address, 80, TCP))
    assert found.scheduler == "rr"
    assert {(each.address, each.port) for each in found.servers} == {
        (pod.address(), TCP_PORT) for pod in balanced.pods.values()
    }


@wireguard
@pytest.mark.parametrize("version", [4, 6])
def test_wireguard_between_pods(stage: Stage, version: int) -> None:
    """Pods on different nodes reach each other with their own addresses, through a WireGuard tunnel."""
    client, server = stage.pods["node1"], stage.pods["node2"]
    before = _bytes_sent(stage, "wireguard")
    result = connect(client, server.address(version), TCP_PORT)
    assert isinstance(result, Reached)
    assert (server.name, client.address(version)) == (result.pod, result.client_address)
    assert _bytes_sent(stage, "wireguard") > before


@ipip
def test_ipip_between_pods(stage: Stage) -> None:
    """Pods on different nodes reach each other with their own addresses, through an ipip tunnel."""
    client, server = stage.pods["node1"], stage.pods["node2"]
    before = _bytes_sent(stage, "ipip")
    result = connect(client, server.address(), TCP_PORT)
    assert isinstance(result, Reached)
    assert (server.name, client.address()) == (result.pod, result.client_address)
    assert _bytes_sent(stage, "ipip") > before


def _bytes_sent(stage: Stage, kind: str) -> int:
    """How much node1 has sent through its devices of a kind."""
    shown = stage.cluster.node("node1").run(["ip", "-o", "link", "show", "type", kind])
    names = [line.split(":")[1].strip().partition("@")[0] for line in shown.splitlines()]
    counters = [f"/sys/class/net/{name}/statistics/tx_bytes" for name in names]
    return sum(int(stage.cluster.node("node1").run(["cat", counter])) for counter in counters)
