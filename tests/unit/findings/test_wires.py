"""PP309 to PP312: tunnels, lengths, gateways and addresses that are not what they should be."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from builders import delivered, step
from unit.findings.losing import ONE, fact, first, found, lost, lost_on_the_way_to, one

from kubectl_packetpath.cluster.question import Question
from kubectl_packetpath.findings import Severity
from kubectl_packetpath.packet import UDP, Packet
from kubectl_packetpath.snapshot import NetworkNamespace, PodReference, Snapshot
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.snapshot.sysctls import Sysctl
from kubectl_packetpath.trace import Fact, Hop, Path, Step, StepKind, Verdict


def wrapped(question: Question, outer: str, entry: Fact) -> Path:
    """Lost after a tunnel has sent what is for the pod on node3 to this address."""
    path = lost_on_the_way_to(question, 3, Verdict.DROPPED, "the frame is for another")
    inner = path.packet
    around = Packet(
        source=ip_address("172.30.1.11"),
        destination=ip_address(outer),
        protocol=UDP,
        dport=8472,
        inner=inner,
        encapsulation="vxlan",
        vni=1,
    )
    wraps = Step(
        kind=StepKind.ENCAPSULATED,
        text="flannel.1 wraps it (vxlan 1)",
        because=(entry,),
        before=inner,
        after=around,
    )
    last = path.hops[-1]
    return replace(
        path, hops=(*path.hops[:-1], replace(last, steps=(*last.steps[:1], wraps, *last.steps[1:])))
    )


@pytest.mark.parametrize(
    ("outer", "severity", "whose"),
    [
        ("172.30.1.12", Severity.PROBLEM, "node2's"),
        ("172.30.1.99", Severity.SUSPICION, "no node's by the API"),
    ],
)
def test_a_tunnel_to_another_node(outer: str, severity: Severity, whose: str) -> None:
    """By the entry that the packet was wrapped by; a node may have addresses that the API does not tell."""
    entry = fact("fdb", "node1 fdb", f"02:00:00:00:00:03 dev flannel.1 dst {outer} self permanent")

    each = one(found("PP309", first(), wrapped(first(), outer, entry)))

    assert each.message == (
        f"flannel.1 on node1 sends what is for the pods of node3 to {outer}, which is {whose}; node3 is 172.30.1.13"
    )
    assert (each.severity, each.node, each.evidence) == (severity, "node1", (entry,))


def test_a_tunnel_to_the_right_node() -> None:
    """What loses the packet is something else."""
    entry = fact("fdb", "node1 fdb", "02:00:00:00:00:03 dev flannel.1 dst 172.30.1.13 self permanent")

    assert found("PP309", first(), wrapped(first(), "172.30.1.13", entry)) == ()


def test_a_tunnel_without_an_entry() -> None:
    """The node whose pods should be behind it is named."""
    entry = fact("fdb", "node1 fdb dev flannel.1", "no entry for 02:00:00:00:00:03 dev flannel.1")
    path = lost_on_the_way_to(first(), 3, Verdict.DROPPED, "has no entry", entry)

    each = one(found("PP309", first(), path))

    assert each.message == (
        "flannel.1 on node1 has no entry for 02:00:00:00:00:03, behind which the pods of node3 should be"
    )


@pytest.mark.parametrize(
    ("reason", "node", "told"),
    [
        (
            "1450 bytes do not fit into the 1300 of flannel.1; its sender is told to send at most 1300 bytes",
            "node1",
            "and the sender is told",
        ),
        (
            "1450 bytes do not fit into the 1300 of eth0 of node3, and nobody is told",
            "node3",
            "and the sender is never told",
        ),
    ],
)
def test_a_packet_that_is_too_long(reason: str, node: str, told: str) -> None:
    """The device, where it is, and who hears of it."""
    path = lost_on_the_way_to(first(), 3, Verdict.TOO_BIG, reason)

    each = one(found("PP310", first(), path))

    assert each.node == node
    assert each.message.endswith(told)
    assert each.remedy[1].endswith("mtu 1450")


def test_a_packet_that_is_lost_for_something_else() -> None:
    """Only its length counts."""
    path = lost_on_the_way_to(first(), 3, Verdict.DROPPED, "dropped by a rule")

    assert found("PP310", first(), path) == ()


@pytest.mark.parametrize(("value", "count"), [("0", 1), ("1", 0), (None, 0)])
def test_a_gateway_that_nobody_answers_for(value: str | None, count: int) -> None:
    """Where proxy_arp is on, or was not read, it is something else."""
    key = "net/ipv4/conf/vethabc/proxy_arp"
    rows = {key: value, "net/ipv4/conf/all/proxy_arp": "0"}
    sysctls = tuple(Sysctl(key=name, value=each) for name, each in rows.items() if each is not None)
    near = Link(index=2, name="eth0", kind="veth", link=7)
    host = NetworkNamespace(
        identity=1, is_host=True, links=(Link(index=7, name="vethabc", kind="veth"),), sysctls=sysctls
    )
    pod = NetworkNamespace(identity=2, pod=PodReference(namespace="default", name="client-1"), links=(near,))
    node1 = RecordedNode(Snapshot(node="node1", taken_at="", namespaces=(host, pod)))
    path = lost(
        first(),
        Verdict.NO_NEIGHBOUR,
        "nobody behind eth0 answers for 169.254.1.1",
        namespace="default/client-1",
    )

    told = found("PP311", first(), path, node1=node1)

    assert len(told) == count
    assert all(each.remedy[0] == "sysctl -w net.ipv4.conf.vethabc.proxy_arp=1" for each in told)


def test_another_pod_takes_it() -> None:
    """The API has the address of the pod on node3; the packet ends in the client of that node."""
    path = delivered(first(), 3, ONE)
    last = Hop(node="node3", namespace="default/client-3", steps=(step(StepKind.DELIVERED, "delivered"),))

    each = one(found("PP312", first(), replace(path, hops=(*path.hops[:-1], last))))

    assert each.message == (
        "10.244.3.3 is the pod default/web-3 by the API, and default/client-3 on node3 takes what is sent there"
    )
    assert each.remedy[0] == "kubectl get pods -A -o wide | grep -w 10.244.3.3"


def test_the_right_pod_takes_it() -> None:
    """As nearly always."""
    assert found("PP312", first(), delivered(first(), 3, ONE)) == ()


def test_a_packet_that_never_left_its_sender() -> None:
    """Who loses it does not take it."""
    path = lost_on_the_way_to(first(), 3, Verdict.NO_NEIGHBOUR, "nobody answers")
    hop = replace(path.hops[-1], namespace="default/client-1")
    path = replace(path, hops=(*path.hops[:-1], hop))

    assert found("PP312", first(), path) == ()
