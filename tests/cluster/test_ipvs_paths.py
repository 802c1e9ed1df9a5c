"""A real kube-proxy in IPVS mode, in the virtual machine: what the walk says against 40 real connections."""

from collections.abc import Mapping
from fractions import Fraction

import pytest
from cluster.ipvs_prediction import World, asked, seen, world_of
from cluster.vm_stage import balanced_stage

from kubectl_packetpath.walk.cluster import Place, PlaceKind
from testbed.cluster import Cluster
from testbed.traffic import Protocol

pytestmark = [
    pytest.mark.vm,
    pytest.mark.cluster,
    pytest.mark.bed(nodes=2, proxy="ipvs", network="flannel-wireguard", family="dual"),
]
PORTS: Mapping[Protocol, int] = {"tcp": 80, "udp": 81}
WORLDS: dict[str, World] = {}


@pytest.fixture
def world(cluster: Cluster) -> World:
    """The servers, and what both nodes' kernels hold once they know them."""
    if cluster.spec.name not in WORLDS:
        WORLDS[cluster.spec.name] = world_of(balanced_stage(cluster))
    return WORLDS[cluster.spec.name]


@pytest.mark.parametrize("protocol", PORTS)
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("service", ["everyone", "on-node1"])
def test_pod_to_cluster_ip(world: World, service: str, version: int, protocol: Protocol) -> None:
    """Both servers in turn, and a pod that reaches itself: who answers, how often, and whom it sees."""
    address = world.stage.services[service][version]

    expected = world.said(world.from_pod("node1"), asked(address, PORTS[protocol], protocol))

    assert expected == seen(world.stage.pods["node1"], address, PORTS[protocol], protocol)
    assert {end[0] for end in expected} == {"reached"}


@pytest.mark.parametrize("version", [4, 6])
def test_node_to_cluster_ip(world: World, version: int) -> None:
    """A program of the node sends from the Service's own address, and is masqueraded."""
    address = world.stage.services["everyone"][version]

    expected = world.said(Place(kind=PlaceKind.HOST, node="node2"), asked(address, 80))

    assert expected == seen(world.stage.cluster.node("node2"), address, 80)


@pytest.mark.parametrize("version", [4, 6])
def test_outside_to_node_port(world: World, version: int) -> None:
    """A client outside, through a node's address."""
    address, port = world.stage.cluster.node("node1").address(version), world.stage.node_ports["http"]
    packet = asked(address, port, source=world.stage.cluster.plan.client(version))

    expected = world.said(Place(kind=PlaceKind.OUTSIDE, node="node1"), packet)

    assert expected == seen(world.stage.cluster.outside, address, port)


def test_nobody_behind_it(world: World) -> None:
    """A Service without endpoints: the client is refused."""
    address = world.stage.services["nobody"][4]

    expected = world.said(world.from_pod("node1"), asked(address, 80))

    assert expected == seen(world.stage.pods["node1"], address, 80, count=1) == {("refused",): Fraction(1)}


def test_another_port_of_a_service(world: World) -> None:
    """kube-proxy refuses ports of a ClusterIP that no Service has."""
    address = world.stage.services["everyone"][4]

    expected = world.said(world.from_pod("node1"), asked(address, 99))

    assert expected == seen(world.stage.pods["node1"], address, 99, count=1)
