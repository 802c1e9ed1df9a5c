"""Every frame of a connection between pods, at every interface of tunnels that this machine's kernel may lack."""

import pytest
from cluster.captures import assert_captured
from cluster.ipvs_prediction import asked, world_of
from cluster.vm_stage import Stage, stage_of

from kubectl_packetpath.render.machine import path_of
from testbed.cluster import Cluster
from testbed.workloads import TCP_PORT

pytestmark = [pytest.mark.vm, pytest.mark.cluster]
SHAPES = [
    pytest.param(4, marks=pytest.mark.bed(nodes=2, proxy="ipvs", network="flannel-wireguard", family="dual")),
    pytest.param(6, marks=pytest.mark.bed(nodes=2, proxy="ipvs", network="flannel-wireguard", family="dual")),
    pytest.param(4, marks=pytest.mark.bed(nodes=2, proxy="none", network="flannel-ipip")),
]


@pytest.fixture
def stage(cluster: Cluster) -> Stage:
    """The servers, made once per cluster."""
    return stage_of(cluster)


@pytest.mark.parametrize("version", SHAPES)
@pytest.mark.parametrize("server", ["node1", "node2"])
def test_between_pods(stage: Stage, server: str, version: int) -> None:
    """To a pod of the same node and of the other one, and back: as the walk says, the packet around it included."""
    world, client = world_of(stage), stage.pods["node1"]
    address = stage.pods[server].address(version)
    (path,) = world.paths(world.from_pod("node1"), asked(address, TCP_PORT))

    claimed = assert_captured(stage.cluster, [path_of(path)], client, str(address), TCP_PORT)

    assert {each.answer for each in claimed} == {False, True}
    assert {each.node for each in claimed} == {"node1", server}
    outside = [each for each in claimed if each.namespace == "host" and each.device == "eth0"]
    wrapped = [
        each.sealed if stage.cluster.spec.network == "flannel-wireguard" else len(each.layers) == 2
        for each in outside
    ]
    assert (server == "node1") == (not outside)
    assert all(wrapped)
