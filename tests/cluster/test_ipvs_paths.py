"""A real kube-proxy in IPVS mode, in the virtual machine: what the walk says against 40 real connections."""

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from ipaddress import ip_address

import pytest
from cluster.vm_stage import NODES, SPACE, Stage, balanced_stage

from kubectl_packetpath.packet import PROTOCOL_NUMBERS, TCP, TCP_SYN, Packet
from kubectl_packetpath.snapshot import PodReference
from kubectl_packetpath.snapshot.codec import decode
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.snapshot.state import NodeState
from kubectl_packetpath.trace import Path, Verdict
from kubectl_packetpath.walk.cluster import Cluster as Nodes
from kubectl_packetpath.walk.cluster import Place, PlaceKind, Query, trace
from kubectl_packetpath.walk.underlay import Underlay
from testbed.addresses import Address
from testbed.cluster import Cluster
from testbed.control import Place as Source
from testbed.traffic import Protocol, Reached, Refused, Result, attempt

pytestmark = [
    pytest.mark.vm,
    pytest.mark.cluster,
    pytest.mark.bed(nodes=2, proxy="ipvs", network="flannel-wireguard", family="dual"),
]
CONNECTIONS = 40
ANY = {4: ip_address("0.0.0.0"), 6: ip_address("::")}
PORTS: Mapping[Protocol, int] = {"tcp": 80, "udp": 81}
STATES: dict[str, Mapping[str, NodeState]] = {}
Ends = dict[tuple[str, ...], Fraction | None]


@pytest.fixture
def stage(cluster: Cluster) -> Stage:
    """The servers, and what both nodes' kernels hold once they know them."""
    stage = balanced_stage(cluster)
    if cluster.spec.name not in STATES:
        STATES[cluster.spec.name] = {name: _read(cluster, name) for name in NODES}
    return stage


def _read(cluster: Cluster, node: str) -> NodeState:
    agent = [sys.executable, "-m", "packetpath_agent", "snapshot", "--node", node]
    command = [*cluster.node(node).prefix, *agent]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=240)
    return RecordedNode(decode(done.stdout))


def from_pod(stage: Stage, node: str) -> Place:
    """The server's pod on this node as a client."""
    reference = PodReference(namespace=SPACE, name=f"on-{node}")
    addresses = tuple(stage.pods[node].address(version) for version in stage.cluster.plan.versions)
    return Place(kind=PlaceKind.POD, node=node, pod=reference, addresses=addresses)


def said(stage: Stage, place: Place, packet: Packet) -> Ends:
    """How each way ends, and how often: reached, by whom and from which address; refused; or lost."""
    cluster = stage.cluster
    versions = cluster.plan.versions
    nodes = {cluster.node(name).address(version): name for name in NODES for version in versions}
    pods = {stage.pods[name].address(version): name for name in NODES for version in versions}
    world = Nodes(nodes=STATES[cluster.spec.name], underlay=Underlay(nodes=nodes, pods=pods))
    ends: Ends = {}
    for path in trace(Query(title="", place=place, packet=packet), world).paths:
        before = ends.get(_end(stage, path), Fraction(0))
        ends[_end(stage, path)] = None if before is None or path.weight is None else before + path.weight
    return ends


def _end(stage: Stage, path: Path) -> tuple[str, ...]:
    if path.ending.verdict is Verdict.DELIVERED:
        answered = path.reply is not None and path.reply.ending.verdict.family == "arrived"
        if not answered:
            return ("lost",)
        names = {pod.address(path.packet.family): pod.name for pod in stage.pods.values()}
        return "reached", names[path.packet.destination], str(path.packet.source)
    if path.ending.verdict in {Verdict.REFUSED, Verdict.REJECTED, Verdict.NO_BACKEND}:
        return ("refused",)
    return ("unknown", path.ending.reason) if path.ending.verdict is Verdict.UNKNOWN else ("lost",)


def seen(source: Source, address: Address, port: int, protocol: Protocol, count: int = CONNECTIONS) -> Ends:
    """The same of real connections."""
    ends = Counter(map(_seen, attempt(source, address, port, protocol, count=count)))
    return {end: Fraction(times, count) for end, times in ends.items()}


def _seen(result: Result) -> tuple[str, ...]:
    if isinstance(result, Reached):
        return "reached", str(result.pod), str(result.client_address)
    return ("refused",) if isinstance(result, Refused) else ("lost",)


def asked(address: Address, port: int, protocol: Protocol = "tcp", source: Address | None = None) -> Packet:
    """The first packet of a connection; its sender's kernel chooses the source, if nobody else does."""
    number = PROTOCOL_NUMBERS[protocol]
    return Packet(
        source=source or ANY[address.version],
        destination=address,
        protocol=number,
        sport=40000,
        dport=port,
        tcp_flags=TCP_SYN if number == TCP else 0,
        sport_chosen=True,
    )


@pytest.mark.parametrize("protocol", PORTS)
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("service", ["everyone", "on-node1"])
def test_pod_to_cluster_ip(stage: Stage, service: str, version: int, protocol: Protocol) -> None:
    """Both servers in turn, and a pod that reaches itself: who answers, how often, and whom it sees."""
    address = stage.services[service][version]

    expected = said(stage, from_pod(stage, "node1"), asked(address, PORTS[protocol], protocol))

    assert expected == seen(stage.pods["node1"], address, PORTS[protocol], protocol)
    assert {end[0] for end in expected} == {"reached"}


@pytest.mark.parametrize("version", [4, 6])
def test_node_to_cluster_ip(stage: Stage, version: int) -> None:
    """A program of the node sends from the Service's own address, and is masqueraded."""
    address = stage.services["everyone"][version]

    expected = said(stage, Place(kind=PlaceKind.HOST, node="node2"), asked(address, 80))

    assert expected == seen(stage.cluster.node("node2"), address, 80, "tcp")


@pytest.mark.parametrize("version", [4, 6])
def test_outside_to_node_port(stage: Stage, version: int) -> None:
    """A client outside, through a node's address."""
    address, port = stage.cluster.node("node1").address(version), stage.node_ports["http"]
    packet = asked(address, port, source=stage.cluster.plan.client(version))

    expected = said(stage, Place(kind=PlaceKind.OUTSIDE, node="node1"), packet)

    assert expected == seen(stage.cluster.outside, address, port, "tcp")


def test_nobody_behind_it(stage: Stage) -> None:
    """A Service without endpoints: the client is refused."""
    address = stage.services["nobody"][4]

    expected = said(stage, from_pod(stage, "node1"), asked(address, 80))

    assert expected == seen(stage.pods["node1"], address, 80, "tcp", 1) == {("refused",): Fraction(1)}


def test_another_port_of_a_service(stage: Stage) -> None:
    """kube-proxy refuses ports of a ClusterIP that no Service has."""
    address = stage.services["everyone"][4]

    expected = said(stage, from_pod(stage, "node1"), asked(address, 99))

    assert expected == seen(stage.pods["node1"], address, 99, "tcp", 1)
