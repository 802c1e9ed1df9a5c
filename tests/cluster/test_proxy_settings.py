"""kube-proxy told to masquerade everything, and to serve node ports on certain addresses only, in each proxy mode."""

from functools import partial

import pytest
from cluster.prediction import assert_agreement, observed, packetpath, predicted
from cluster.stage import NODES, install_agent

from testbed.cluster import Cluster
from testbed.control import Node
from testbed.traffic import Reached, Refused, connect
from testbed.waiting import wait_until
from testbed.workloads import TCP_PORT, Server

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.bed(
        network="ptp",
        proxies={"node2": "iptables-legacy", "node3": "nftables"},
        masquerade_all=True,
        node_port_addresses="198.18.0.0/15",
    ),
]
HTTP = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": TCP_PORT}]
READY: set[str] = set()


@pytest.fixture
def service(cluster: Cluster) -> dict[str, str]:
    """A Service with one server on another node than each client; made once."""
    web = Server(name="web", node="node1")
    clients = [Server(name=f"client-{node}", node=node).pod() for node in NODES]
    if cluster.spec.name not in READY:
        install_agent(cluster)
        cluster.kube.apply(web.pod(), *clients, web.service(type="NodePort", ports=HTTP))
        wait_until("the server is ready", lambda: _ready(cluster))
        READY.add(cluster.spec.name)
    spec = cluster.kube.get("Service", "web", "default")["spec"]
    for node in cluster.nodes:
        wait_until(f"{node.name} knows it", partial(_serves, node, spec["clusterIP"]))
    return {"address": spec["clusterIP"], "node port": str(spec["ports"][0]["nodePort"])}


def _serves(node: Node, address: str) -> bool:
    return isinstance(connect(node, address, 80, timeout_seconds=0.5), Reached)


def _ready(cluster: Cluster) -> bool:
    pods = cluster.kube.list("Pod", "default")
    return len(pods) == 1 + len(NODES) and all(
        any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
        for pod in pods
    )


@pytest.mark.parametrize("node", NODES)
def test_masquerade_all(cluster: Cluster, service: dict[str, str], node: str) -> None:
    """A server sees no pod's own address, and the tool says whose it sees."""
    client = cluster.pod("default", f"client-{node}")
    target = f"{service['address']}:80"
    said = packetpath(cluster, target, "--from", f"pod/client-{node}", "-n", "default", expect=0)
    assert_agreement(predicted(said.paths), observed(cluster, client, service["address"], 80))
    assert {path["packet"]["source"] for path in said.paths} != {str(client.address())}


@pytest.mark.parametrize("node", NODES)
def test_node_port_addresses(cluster: Cluster, service: dict[str, str], node: str) -> None:
    """A node without an address in those networks has no node ports: the connection is refused."""
    address, port = str(cluster.node(node).address()), int(service["node port"])
    outside = f"outside:{cluster.plan.client(4)}"
    said = packetpath(cluster, f"{address}:{port}", "--from", outside, "-n", "default", expect=1)
    assert {path["verdict"] for path in said.paths} == {"REFUSED"}
    assert isinstance(connect(cluster.outside, address, port), Refused)
