"""Faults at the pods' own end of the network, on real clusters: bridges, gateways that nobody has, addresses taken twice."""

import re

import pytest
from cluster.faulty import LOST, ask, evidence
from cluster.prediction import packetpath
from cluster.stage import SPACE, Stage, stage_of

from testbed.cluster import Cluster
from testbed.control import Node, Pod
from testbed.faults import AddressAdded, HairpinOff, NeighbourChanged, RouteReplaced, SysctlSet, fault
from testbed.traffic import Reached, attempt, connect, pods_reached
from testbed.workloads import TCP_PORT

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.bed(family="dual", proxies={"node2": "iptables-legacy", "node3": "nftables"}),
]
BRIDGE, PTP = (
    pytest.mark.parametrize("cluster", [{"network": name}], ids=str, indirect=True)
    for name in ("bridge", "ptp")
)
GATEWAY = "169.254.1.1"


@pytest.fixture
def stage(cluster: Cluster) -> Stage:
    """Servers, clients, Services and the agent: made once per cluster."""
    return stage_of(cluster)


def host_end(node: Node, pod: Pod) -> str:
    """The node's end of a pod's veth."""
    number = re.findall(r"eth0@if(\d+)", pod.run(["ip", "-o", "link", "show", "eth0"]))[0]
    links = node.run(["ip", "-o", "link"])
    return str(re.findall(rf"^{number}: ([^@:]+)", links, re.MULTILINE)[0])


@BRIDGE
def test_a_bridge_that_does_not_call_iptables(stage: Stage) -> None:
    """The answer of an endpoint on the client's own node comes back untranslated: its share of connections is lost."""
    node, client, address = stage.cluster.node("node1"), stage.client("node1"), stage.cluster_ip("web")
    with fault(SysctlSet(place=node, name="net/bridge/bridge-nf-call-iptables", value=0)):
        said = packetpath(
            stage.cluster, f"{address}:80", "--from", "pod/client-node1", "-n", SPACE, expect=LOST
        )
        seen = pods_reached(attempt(client, address, 80, count=40, timeout_seconds=1))
    ends = {path["hops"][-1]["namespace"]: path["reply"] for path in said.paths}
    answer = ends[f"{SPACE}/web-node1"]

    assert seen.keys() == {"web-node2", "web-node3"}
    assert (answer["verdict"], answer["hops"][-1]["namespace"]) == ("REFUSED", f"{SPACE}/client-node1")
    assert {name for name, reply in ends.items() if reply["verdict"] != "DELIVERED"} == {f"{SPACE}/web-node1"}
    assert said.found == {"bridged-answer-is-not-translated"}
    assert evidence(said) == ["net.bridge.bridge-nf-call-iptables = 0"]


@BRIDGE
def test_a_port_without_hairpin_mode(stage: Stage) -> None:
    """A pod that is given to itself by the Service gets no answer."""
    node, pod, address = (
        stage.cluster.node("node1"),
        stage.cluster.pod(SPACE, "web-node1"),
        stage.cluster_ip("web"),
    )
    port = host_end(node, pod)
    with fault(HairpinOff(node=node, port=port)):
        said = packetpath(stage.cluster, f"{address}:80", "--from", "pod/web-node1", "-n", SPACE, expect=LOST)
        seen = pods_reached(attempt(pod, address, 80, count=40, timeout_seconds=1))
    (lost,) = (path for path in said.paths if path["verdict"] != "DELIVERED")

    assert seen.keys() == {"web-node2", "web-node3"}
    assert (lost["verdict"], lost["hops"][-1]["node"], lost["hops"][-1]["namespace"]) == (
        "DROPPED",
        "node1",
        "host",
    )
    assert said.found == {"hairpin-is-off"}
    assert evidence(said) == [f"{port} master cni0 hairpin off"]


@BRIDGE
def test_an_address_that_two_pods_have(stage: Stage) -> None:
    """The node sends to the pod that it heard of last, which is not the one that the API knows."""
    node, taker = stage.cluster.node("node2"), stage.client("node2")
    owner = stage.cluster.pod(SPACE, "web-node2").address(4)
    mac = mac_of(taker)
    connect(stage.client("node1"), owner, TCP_PORT)
    with fault(
        AddressAdded(place=taker, device="eth0", address=owner),
        NeighbourChanged(place=node, device="cni0", address=owner, mac=mac, state="reachable"),
    ):
        seen = connect(stage.client("node1"), owner, TCP_PORT)
        said = ask(stage, owner, code=0)
    (path,) = said.paths

    assert isinstance(seen, Reached)
    assert seen.pod == taker.name
    assert path["hops"][-1]["namespace"] == f"{SPACE}/{taker.name}"
    assert said.found == {"pod-address-is-taken"}
    assert any(f"{owner} dev cni0 lladdr {mac} " in text for text in evidence(said))


def mac_of(pod: Pod) -> str:
    """The link address of a pod."""
    return str(re.findall(r"link/ether (\S+)", pod.run(["ip", "-o", "link", "show", "eth0"]))[0])


@PTP
def test_a_gateway_that_nobody_has(stage: Stage) -> None:
    """With proxy_arp the node answers for it, as Calico's do; without, the pod reaches nothing."""
    node, client = stage.cluster.node("node1"), stage.client("node1")
    address = stage.cluster.pod(SPACE, "web-node2").address(4)
    port = host_end(node, client)
    proxied = f"net/ipv4/conf/{port}/proxy_arp"
    with fault(
        RouteReplaced(place=client, route=f"default via {GATEWAY} dev eth0 onlink"),
        SysctlSet(place=node, name=proxied, value=1),
    ):
        healthy = ask(stage, address, code=0)
        reached = connect(client, address, TCP_PORT)
        client.run(["ip", "neigh", "flush", "dev", "eth0"])
        with fault(SysctlSet(place=node, name=proxied, value=0)):
            seen = connect(client, address, TCP_PORT, timeout_seconds=1)
            said = ask(stage, address, code=LOST)
        client.run(["ip", "neigh", "flush", "dev", "eth0"])
    (path,) = said.paths

    assert isinstance(reached, Reached)
    assert healthy.found == set()
    assert not isinstance(seen, Reached)
    assert (path["verdict"], path["hops"][-1]["namespace"]) == ("NO_NEIGHBOUR", f"{SPACE}/client-node1")
    assert said.found == {"neighbour-is-silent", "proxy-arp-is-off"}
    assert f"net.ipv4.conf.{port}.proxy_arp = 0" in evidence(said)
