"""Faults of VXLAN tunnels between nodes: what the tool says, where, by which evidence; and real packets are lost so."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cluster.faulty import LOST, Parts, ask, evidence
from cluster.stage import Stage, stage_of

from testbed.cluster import Cluster
from testbed.control import Node, Pod
from testbed.faults import (
    AnnotationChanged,
    Fault,
    FdbEntryChanged,
    FdbEntryDeleted,
    ForeignRule,
    NeighbourChanged,
    RouteAdded,
    RouteDeleted,
    SysctlSet,
    WrongMtu,
    fault,
)
from testbed.traffic import Reached, connect
from testbed.waiting import wait_until
from testbed.workloads import TCP_PORT

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.bed(family="dual", proxies={"node2": "iptables-legacy", "node3": "nftables"}),
]
VXLAN = pytest.mark.parametrize("cluster", [{"network": "flannel-vxlan"}], ids=str, indirect=True)
SIZED = Path(__file__).parents[1] / "kernel" / "tunnels" / "sized.py"
TOLD = "90"
"""EMSGSIZE: the sender's kernel knows that it is too long."""
PUBLIC_IP = "flannel.alpha.coreos.com/public-ip"


@pytest.fixture
def stage(cluster: Cluster) -> Stage:
    """Servers, clients, Services and the agent: made once per cluster."""
    return stage_of(cluster)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A fault between two nodes behind VXLAN, and what is said of it."""

    name: str
    faults: Callable[[Parts], tuple[Fault, ...]]
    verdict: str
    node: str
    found: str
    evidence: str
    settled: str = ""
    """What `ip neigh` shows of the tunnel's other end once the kernel has given up to ask."""


CASES = (
    Case(
        name="forwarding entry is missing",
        faults=lambda p: (
            FdbEntryDeleted(node=p.here, device="flannel.1", containing=f"dst {p.there.address()} "),
        ),
        verdict="DROPPED",
        node="node1",
        found="tunnel-leads-elsewhere",
        evidence="no entry for ",
    ),
    Case(
        name="forwarding entry names another node",
        faults=lambda p: (
            FdbEntryChanged(
                node=p.here,
                device="flannel.1",
                destination=p.there.address(),
                wrong=p.stage.cluster.node("node3").address(),
            ),
        ),
        verdict="DROPPED",
        node="node3",
        found="tunnel-leads-elsewhere",
        evidence="dst 172.30.1.13 ",
    ),
    Case(
        name="neighbour is of yesterday",
        faults=lambda p: (p.neighbour(mac="02:11:00:00:00:99"),),
        verdict="DROPPED",
        node="node1",
        found="tunnel-leads-elsewhere",
        evidence="lladdr 02:11:00:00:00:99 PERMANENT",
    ),
    Case(
        name="neighbour has failed",
        faults=lambda p: (p.neighbour(state="failed"),),
        verdict="NO_NEIGHBOUR",
        node="node1",
        found="neighbour-is-silent",
        evidence="dev flannel.1 FAILED",
        settled="FAILED",
    ),
    Case(
        name="route is deleted",
        faults=lambda p: (
            RouteDeleted(place=p.here, destination="default"),
            RouteDeleted(place=p.here, destination=p.pods_of("node2")),
        ),
        verdict="NO_ROUTE",
        node="node1",
        found="route-is-missing",
        evidence="",
    ),
    Case(
        name="blackhole",
        faults=lambda p: (RouteAdded(place=p.here, route="blackhole 10.244.1.0/25"),),
        verdict="NO_ROUTE",
        node="node1",
        found="route-discards",
        evidence="blackhole 10.244.1.0/25",
    ),
    Case(
        name="tunnel's port is dropped",
        faults=lambda p: (
            ForeignRule(node=p.there, chain="INPUT", rule="-p udp -m udp --dport 8472 -j DROP"),
        ),
        verdict="DROPPED",
        node="node2",
        found="foreign-rule-stops",
        evidence="-A INPUT -p udp -m udp --dport 8472 -j DROP",
    ),
    Case(
        name="way back goes elsewhere",
        faults=lambda p: (
            RouteDeleted(place=p.there, destination=p.pods_of("node1")),
            SysctlSet(place=p.there, name="net/ipv4/conf/flannel.1/rp_filter", value=1),
        ),
        verdict="DROPPED",
        node="node2",
        found="reverse-path-filter-drops",
        evidence="net.ipv4.conf.flannel.1.rp_filter = 1",
    ),
)


@VXLAN
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_broken_is_named(stage: Stage, case: Case) -> None:
    """The verdict, the node, the finding and its evidence; and a real connection does not get through."""
    parts = Parts(stage=stage)
    client, address = stage.client("node1"), parts.server.address(4)
    with fault(*case.faults(parts)):
        seen = connect(client, address, TCP_PORT, timeout_seconds=0.9)  # before the first SYN is repeated
        wait_until(f"the kernel says {case.settled or 'all'}", lambda: case.settled in parts.known())
        said = ask(stage, address, code=LOST)
    (path,) = said.paths

    assert not isinstance(seen, Reached)
    assert path["verdict"] == case.verdict
    assert (path["hops"][-1]["node"], path["hops"][-1]["namespace"]) == (case.node, "host")
    assert said.found == {case.found}
    assert not case.evidence or any(case.evidence in text for text in evidence(said)), evidence(said)


@VXLAN
def test_a_stale_neighbour_is_no_fault(stage: Stage) -> None:
    """The kernel asks anew, so nothing is found, and connections get through."""
    parts = Parts(stage=stage)
    address = parts.server.address(4)
    connect(stage.client("node1"), address, TCP_PORT)
    with fault(
        NeighbourChanged(place=parts.here, device="eth0", address=parts.there.address(), state="stale")
    ):
        said = ask(stage, address, code=0)
        seen = connect(stage.client("node1"), address, TCP_PORT)
    assert isinstance(seen, Reached)
    assert said.found == set()


def sent(client: Pod, address: object, size: int) -> str:
    """What becomes of a datagram of this length that must not be cut."""
    command = [sys.executable, "-s", "-S", str(SIZED), str(address), "8081", str(size)]
    return str(json.loads(client.run(command)))


@VXLAN
@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
def test_the_mtu_of_a_tunnel(stage: Stage, told: bool) -> None:
    """Longer packets than the tunnel takes are lost, and a rule against ICMP keeps it from their sender."""
    parts = Parts(stage=stage)
    client, address = stage.client("node1"), parts.server.address(4)
    silent = ForeignRule(node=parts.here, chain="OUTPUT", rule="-p icmp -j DROP")
    with fault(WrongMtu(place=parts.here, device="flannel.1", mtu=1300), *([] if told else [silent])):
        small = ask(stage, address, "--size", "1300", code=0)
        said = ask(stage, address, "--size", "1301", code=LOST)
        (asked,) = ask(stage, address, "--mtu", code=0).ways
        seen = [sent(client, address, size) for size in (1300, 1301)]
    (path,) = said.paths
    words = "its sender is told to send at most 1300 bytes" if told else "its sender is never told"
    assert seen == ["reached", TOLD if told else "timeout"]
    assert small.found == set()
    assert (asked["mtu"]["packet_bytes"], asked["mtu"]["payload_bytes"]) == (1300, 1260)
    assert words in asked["mtu"]["limit"]
    assert (path["verdict"], path["hops"][-1]["node"]) == ("TOO_BIG", "node1")
    assert words in path["reason"]
    assert said.found == {"packet-is-too-long"}
    assert evidence(said) == ["flannel.1 mtu 1300"]


@VXLAN
def test_the_mtu_below_a_tunnel(stage: Stage) -> None:
    """The other node's device takes less than what the tunnel puts around: nobody is ever told.

    A veth takes 4 bytes more than its MTU, for a VLAN tag.
    """
    parts = Parts(stage=stage)
    client, address = stage.client("node1"), parts.server.address(4)
    with fault(WrongMtu(place=parts.there, device="eth0", mtu=1400)):
        said = ask(stage, address, "--size", "1355", code=LOST)
        seen = [sent(client, address, size) for size in (1354, 1355)]
    (path,) = said.paths
    assert seen == ["reached", "timeout"]
    assert path["verdict"] == "TOO_BIG"
    assert path["reason"] == "1405 bytes do not fit into the 1400 of eth0 of node2, and nobody is told"
    assert [found["node"] for way in said.ways for found in way["findings"]] == ["node2"]
    assert said.found == {"packet-is-too-long"}
    assert evidence(said) == ["eth0 mtu 1400"]


@VXLAN
def test_a_node_announces_a_wrong_address(stage: Stage) -> None:
    """Flannel goes by the Node's annotation when it starts elsewhere: packets go to an address that nobody has."""
    parts = Parts(stage=stage)
    client, address = stage.client("node1"), parts.server.address(4)
    nobody = "172.30.1.99"
    with fault(AnnotationChanged(kube=stage.cluster.kube, node="node2", name=PUBLIC_IP, value=nobody)):
        restart(parts.here)
        wait_until("flannel believes it", lambda: leads_to(parts, nobody))
        seen = connect(client, address, TCP_PORT, timeout_seconds=0.9)  # before the first SYN is repeated
        wait_until("the kernel gives up", lambda: "FAILED" in parts.known(nobody, "eth0"))
        said = ask(stage, address, code=LOST)
    restart(parts.here)
    wait_until("flannel believes the truth", lambda: leads_to(parts, str(parts.there.address())))
    (path,) = said.paths

    assert not isinstance(seen, Reached)
    assert (path["verdict"], path["hops"][-1]["node"]) == ("NO_NEIGHBOUR", "node1")
    assert said.found == {"tunnel-leads-elsewhere", "neighbour-is-silent"}
    assert any(f"dst {nobody} " in text for text in evidence(said))
    wait_until("connections get through", lambda: isinstance(connect(client, address, TCP_PORT), Reached))


def restart(node: Node) -> None:
    """The pod network's daemon looks at all Nodes anew."""
    daemon = node.runtime.network_daemon()
    assert daemon is not None
    daemon.kill()
    daemon.start()


def leads_to(parts: Parts, address: str) -> bool:
    """Whether node1's tunnel has one entry for the node's link address, with this far end."""
    mac = parts.there.run(["cat", "/sys/class/net/flannel.1/address"]).strip()
    entries = parts.here.run(["bridge", "fdb", "show", "dev", "flannel.1"]).splitlines()
    return [re.findall(r"dst (\S+)", entry) for entry in entries if mac in entry] == [[address]]
