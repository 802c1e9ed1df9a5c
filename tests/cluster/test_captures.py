"""Every frame of a connection, at every interface that its path names, in nodes and pods: as the tool says."""

import pytest
from cluster.captures import Claim, assert_captured
from cluster.prediction import Said, packetpath
from cluster.stage import SPACE, Stage, stage_of

from testbed.cluster import Cluster
from testbed.workloads import TCP_PORT

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.bed(family="dual", proxies={"node2": "iptables-legacy", "node3": "nftables"}),
    pytest.mark.parametrize(
        "cluster",
        [
            *({"network": name} for name in ("flannel-vxlan", "flannel-hostgw", "bridge", "ptp")),
            {"network": "bgp", "subnets": 2},
        ],
        ids=str,
        indirect=True,
    ),
]
WRAPPING = {"flannel-vxlan"}
UNKNOWN = 3
"""The exit code: a way over another subnet leads through a router that nobody sees."""


@pytest.fixture
def stage(cluster: Cluster) -> Stage:
    """Servers, clients, Services and the agent: made once per cluster."""
    return stage_of(cluster)


def assert_wires(stage: Stage, claimed: list[Claim]) -> None:
    """Both directions were looked at, on more than one node, and in tunnels where the network has them."""
    assert {each.answer for each in claimed} == {False, True}
    assert len({each.node for each in claimed}) > 1
    layers = {len(each.layers) for each in claimed}
    assert layers == ({1, 2} if stage.cluster.spec.network in WRAPPING else {1})


def ask(stage: Stage, address: str, port: int, start: str) -> Said:
    """The paths, none of which is lost."""
    code = UNKNOWN if len(stage.cluster.spec.subnets) > 1 else 0
    return packetpath(stage.cluster, target(address, port), "--from", start, "-n", SPACE, expect=code)


def target(address: str, port: int) -> str:
    """An address and port as the command line takes it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@pytest.mark.parametrize(("node", "version"), [("node1", 4), ("node3", 6)])
def test_pod_to_cluster_ip(stage: Stage, node: str, version: int) -> None:
    """From a pod to each endpoint, on its own node and on the others, and the answers back."""
    address = stage.cluster_ip("web", version)
    said = ask(stage, address, 80, f"pod/client-{node}")
    claimed = assert_captured(stage.cluster, said.paths, stage.client(node), address, 80)
    assert_wires(stage, claimed)


@pytest.mark.parametrize(("server", "version"), [("node1", 4), ("node2", 6)])
def test_pod_to_pod(stage: Stage, server: str, version: int) -> None:
    """Without a Service: to a pod of the same node, and to one of another node."""
    address = str(stage.cluster.pod(SPACE, f"web-{server}").address(version))
    words = (target(address, TCP_PORT), "--from", "pod/client-node1", "-n", SPACE)
    said = packetpath(stage.cluster, *words, expect=0)
    claimed = assert_captured(stage.cluster, said.paths, stage.client("node1"), address, TCP_PORT)
    assert {each.node for each in claimed} == {"node1", server}


@pytest.mark.parametrize(("node", "version"), [("node2", 4), ("node1", 6)])
def test_outside_to_node_port(stage: Stage, node: str, version: int) -> None:
    """Through a node port, masqueraded where the endpoint is elsewhere."""
    address, port = str(stage.cluster.node(node).address(version)), stage.node_port("web")
    said = ask(stage, address, port, f"outside:{stage.cluster.plan.client(version)}")
    claimed = assert_captured(stage.cluster, said.paths, stage.cluster.outside, address, port)
    assert_wires(stage, claimed)
