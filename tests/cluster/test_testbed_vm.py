"""What this machine's kernel may lack works in the virtual machine: IPVS, and flannel over WireGuard and ipip."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from cluster.vm_stage import NODES, TRIES, Stage, balanced_stage, stage_of

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.codec import decode
from kubectl_packetpath.snapshot.recorded import RecordedNode
from testbed.cluster import Cluster
from testbed.traffic import Reached, attempt, connect, pods_reached, sctp_server
from testbed.workloads import SCTP_PORT, TCP_PORT

pytestmark = [pytest.mark.vm, pytest.mark.cluster]
wireguard = pytest.mark.bed(nodes=2, proxy="ipvs", network="flannel-wireguard", family="dual")
ipip = pytest.mark.bed(nodes=2, proxy="none", network="flannel-ipip")


TCP = 6


@pytest.fixture
def stage(cluster: Cluster) -> Stage:
    """The servers, made once per cluster."""
    return stage_of(cluster)


@pytest.fixture
def balanced(cluster: Cluster) -> Stage:
    """The servers, once every node's proxy knows all of them."""
    return balanced_stage(cluster)


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
