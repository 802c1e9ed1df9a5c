"""Every frame of a connection between pods, at every interface of tunnels that this machine's kernel may lack."""

from itertools import product

import pytest
from cluster.captures import assert_captured
from cluster.ipvs_prediction import asked, world_of
from cluster.vm_stage import Stage, stage_of

from kubectl_packetpath.render.machine import path_of
from kubectl_packetpath.walk.cluster import Place, PlaceKind
from testbed.cluster import Cluster
from testbed.workloads import TCP_PORT

pytestmark = [pytest.mark.vm, pytest.mark.cluster]
wireguard = pytest.mark.bed(nodes=2, proxy="ipvs", network="flannel-wireguard", family="dual")
ipip = pytest.mark.bed(nodes=2, proxy="none", network="flannel-ipip")
bgp = pytest.mark.bed(nodes=2, subnets=2, proxy="none", network="calico-ipip")
SHAPES = [
    pytest.param(4, marks=wireguard, id="wireguard-ipv4"),
    pytest.param(6, marks=wireguard, id="wireguard-ipv6"),
    pytest.param(4, marks=ipip, id="flannel-ipip"),
    pytest.param(4, marks=bgp, id="calico-ipip"),
]


@pytest.fixture
def stage(cluster: Cluster) -> Stage:
    """The servers, made once per cluster."""
    return stage_of(cluster)


@pytest.mark.parametrize("version", SHAPES)
def test_between_pods(stage: Stage, version: int) -> None:
    """Across nodes and back: as the walk says, the packet around it included."""
    client, address = stage.pods["node1"], stage.pods["node2"].address(version)
    world = world_of(stage)
    (path,) = world.paths(world.from_pod("node1"), asked(address, TCP_PORT))

    claimed = assert_captured(stage.cluster, [path_of(path)], client, str(address), TCP_PORT)

    assert {(each.node, each.answer) for each in claimed} == set(product(("node1", "node2"), (False, True)))
    sealed = stage.cluster.spec.network == "flannel-wireguard"
    outside = [each for each in claimed if each.namespace == "host" and each.device == "eth0"]
    assert {(each.sealed, len(each.layers)) for each in outside} == {(True, 1) if sealed else (False, 2)}


@pytest.mark.parametrize("version", SHAPES)
def test_from_a_node_to_its_pod(stage: Stage, version: int) -> None:
    """No tunnel is on this way."""
    address, world = stage.pods["node1"].address(version), world_of(stage)
    place = Place(kind=PlaceKind.HOST, node="node1")
    (path,) = world.paths(place, asked(address, TCP_PORT))

    claimed = assert_captured(
        stage.cluster, [path_of(path)], stage.cluster.node("node1"), str(address), TCP_PORT
    )

    assert {each.answer for each in claimed} == {False, True}
    assert {(each.node, each.sealed, len(each.layers)) for each in claimed} == {("node1", False, 1)}
