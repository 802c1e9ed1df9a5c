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


def test_pod_to_pod_of_the_same_node(stage: Stage) -> None:
    """Without a Service, and so without NAT."""
    address = str(stage.cluster.pod(SPACE, "web-node1").address(4))
    words = (target(address, TCP_PORT), "--from", "pod/client-node1", "-n", SPACE)
    said = packetpath(stage.cluster, *words, expect=0)
    claimed = assert_captured(stage.cluster, said.paths, stage.client("node1"), address, TCP_PORT)
    assert {each.node for each in claimed} == {"node1"}
    assert {each.answer for each in claimed} == {False, True}


def test_outside_to_node_port(stage: Stage) -> None:
    """Through a node port, masqueraded where the endpoint is elsewhere."""
    address, port = str(stage.cluster.node("node2").address()), stage.node_port("web")
    said = ask(stage, address, port, f"outside:{stage.cluster.plan.client(4)}")
    claimed = assert_captured(stage.cluster, said.paths, stage.cluster.outside, address, port)
    assert_wires(stage, claimed)
