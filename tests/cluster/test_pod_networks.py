"""Pod networks run by their own programs: what the tool says of the wires between nodes, against real connections."""

import pytest
from cluster.prediction import assert_agreement, observed, packetpath, predicted
from cluster.stage import NODES, SPACE, Stage, stage_of

from testbed.cluster import Cluster
from testbed.traffic import Reached, connect
from testbed.workloads import TCP_PORT

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.bed(family="dual", proxies={"node2": "iptables-legacy", "node3": "nftables"}),
    pytest.mark.parametrize(
        "cluster",
        [{"network": each} for each in ("flannel-vxlan", "flannel-hostgw", "calico-vxlan")],
        ids=str,
        indirect=True,
    ),
]


@pytest.fixture
def stage(cluster: Cluster) -> Stage:
    """Servers, clients, Services and the agent: made once per cluster."""
    return stage_of(cluster)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("node", NODES)
def test_pod_to_cluster_ip(stage: Stage, node: str, version: int) -> None:
    """Endpoints on all nodes, their shares and the client's address are those of real connections."""
    address = stage.cluster_ip("web", version)
    target = f"[{address}]:80" if version == 6 else f"{address}:80"
    said = packetpath(stage.cluster, target, "--from", f"pod/client-{node}", "-n", SPACE, expect=0)
    assert_agreement(predicted(said.paths), observed(stage.cluster, stage.client(node), address, 80))


@pytest.mark.parametrize("node", NODES)
def test_outside_to_node_port(stage: Stage, node: str) -> None:
    """A client outside reaches every endpoint through a node port of each node, and is seen as the tool says."""
    address, port = str(stage.cluster.node(node).address()), stage.node_port("web")
    outside = f"outside:{stage.cluster.plan.client(4)}"
    said = packetpath(stage.cluster, f"{address}:{port}", "--from", outside, "-n", SPACE, expect=0)
    assert_agreement(predicted(said.paths), observed(stage.cluster, stage.cluster.outside, address, port))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("server", NODES[1:])
def test_pod_to_pod_on_another_node(stage: Stage, server: str, version: int) -> None:
    """The packet is wrapped, or not, as its network does; the server sees the client's own address."""
    pod, client = stage.cluster.pod(SPACE, f"web-{server}"), stage.client("node1")
    address = pod.address(version)
    target = f"[{address}]:{TCP_PORT}" if version == 6 else f"{address}:{TCP_PORT}"
    said = packetpath(stage.cluster, target, "--from", "pod/client-node1", "-n", SPACE, expect=0)
    (path,) = said.paths
    kinds = [step["kind"] for hop in path["hops"] for step in hop["steps"]]
    wrapped = stage.cluster.spec.network.endswith("-vxlan")
    assert ("encapsulated" in kinds, "decapsulated" in kinds) == (wrapped, wrapped)
    seen = connect(client, address, TCP_PORT)
    assert isinstance(seen, Reached)
    assert (pod.name, path["packet"]["source"]) == (seen.pod, str(seen.client_address))
