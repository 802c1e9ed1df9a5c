"""Pods of two nodes behind flannel's VXLAN device: every frame on the way is as the trace says."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest
from kernel.tunnels.agreement import assert_agrees
from kernel.tunnels.capture import told
from kernel.tunnels.flannel import MACS, PLACES, fdb, flannel
from kernel.tunnels.nodes import NODES, PODS, PORT, UNDERLAY, Nodes, nodes

from kubectl_packetpath.trace import Path, StepKind, Verdict

pytestmark = pytest.mark.kernel


@pytest.fixture
def wired() -> Iterator[Nodes]:
    """Two nodes with flannel."""
    with nodes("vxlan") as made:
        for node in NODES:
            flannel(made, node)
        yield made


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_every_frame_is_as_told(wired: Nodes, protocol: str) -> None:
    """Outer and inner addresses, link addresses, VNI and ports, at each interface."""
    path = assert_agrees(wired, protocol)

    assert len(told(path, *PLACES)) == len(PLACES)
    assert path.reply is not None
    assert {StepKind.ENCAPSULATED, StepKind.DECAPSULATED} <= {step.kind for step in path.reply.steps}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that loses the packet, and how the trace names it."""

    name: str
    node: str
    verdict: Verdict
    reason: str
    links: tuple[str, ...] = ()
    """Arguments of `ip` on that node."""
    fdb: tuple[str, ...] = ()
    rules: str = ""
    sysctls: Mapping[str, int] = field(default_factory=dict)
    evidence: str = ""
    """What a fact of the last step says."""


FAULTS = (
    Fault(
        name="no forwarding entry",
        node="a",
        fdb=(f"del {MACS['b']} dev flannel.1",),
        verdict=Verdict.DROPPED,
        reason=f"forwarding database of flannel.1 has no entry for {MACS['b']}",
        evidence="no entry for",
    ),
    Fault(
        name="entry names itself",
        node="a",
        fdb=(f"replace {MACS['b']} dev flannel.1 dst {UNDERLAY['a']} self permanent",),
        verdict=Verdict.LOOPED,
        reason="goes round",
    ),
    Fault(
        name="entry names another link address",
        node="a",
        links=("neigh replace 10.244.2.0 lladdr 02:11:00:00:00:99 dev flannel.1 nud permanent",),
        verdict=Verdict.DROPPED,
        reason="has no entry for 02:11:00:00:00:99",
    ),
    Fault(
        name="no neighbour",
        node="a",
        links=("neigh del 10.244.2.0 dev flannel.1",),
        verdict=Verdict.NO_NEIGHBOUR,
        reason="nobody behind flannel.1 answers for 10.244.2.0",
    ),
    Fault(
        name="device has another link address",
        node="b",
        links=(
            "link set flannel.1 down",
            "link set flannel.1 address 02:11:00:00:00:77",
            "link set flannel.1 up",
        ),
        verdict=Verdict.DROPPED,
        reason=f"the frame is for {MACS['b']}, and flannel.1 is 02:11:00:00:00:77",
    ),
    Fault(
        name="another network identifier",
        node="b",
        links=(
            "link del flannel.1",
            f"link add flannel.1 address {MACS['b']} type vxlan id 2 local {UNDERLAY['b']} dstport 8472 nolearning",
            "link set flannel.1 up",
        ),
        verdict=Verdict.DROPPED,
        reason="no VXLAN device on UDP port 8472 of b has VNI 1 (flannel.1 has 2)",
        evidence="vxlan id 2",
    ),
    Fault(
        name="another port",
        node="b",
        links=(
            "link del flannel.1",
            f"link add flannel.1 address {MACS['b']} type vxlan id 1 local {UNDERLAY['b']} dstport 4789 nolearning",
            "link set flannel.1 up",
        ),
        verdict=Verdict.DROPPED,
        reason="no VXLAN device listens on UDP port 8472 of b: there is no such device",
    ),
    Fault(
        name="device is down",
        node="b",
        links=("link set flannel.1 down",),
        verdict=Verdict.DROPPED,
        reason="no VXLAN device listens on UDP port 8472 of b: flannel.1 is down",
        evidence="DOWN",
    ),
    Fault(
        name="outer port dropped on arrival",
        node="b",
        rules="*filter\n-A INPUT -p udp --dport 8472 -j DROP\nCOMMIT\n",
        verdict=Verdict.DROPPED,
        reason="dropped by a rule",
        evidence="--dport 8472 -j DROP",
    ),
    Fault(
        name="outer port dropped on departure",
        node="a",
        rules="*filter\n-A OUTPUT -p udp --dport 8472 -j DROP\nCOMMIT\n",
        verdict=Verdict.DROPPED,
        reason="dropped by a rule",
        evidence="--dport 8472 -j DROP",
    ),
    Fault(
        name="mark set inside is seen outside",
        node="a",
        rules=(
            "*mangle\n-A FORWARD -o flannel.1 -j MARK --set-mark 0x77\nCOMMIT\n"
            "*filter\n-A OUTPUT -m mark --mark 0x77 -j DROP\nCOMMIT\n"
        ),
        verdict=Verdict.DROPPED,
        reason="dropped by a rule",
        evidence="--mark 0x77 -j DROP",
    ),
    Fault(
        name="mark set outside is seen inside",
        node="b",
        rules=(
            "*mangle\n-A PREROUTING -i eth0 -j MARK --set-mark 0x77\nCOMMIT\n"
            "*filter\n-A FORWARD -i flannel.1 -m mark --mark 0x77 -j DROP\nCOMMIT\n"
        ),
        verdict=Verdict.DROPPED,
        reason="dropped by a rule",
        evidence="--mark 0x77 -j DROP",
    ),
    Fault(
        name="inner packet dropped after unwrapping",
        node="b",
        rules="*filter\n-A FORWARD -i flannel.1 -j DROP\nCOMMIT\n",
        verdict=Verdict.DROPPED,
        reason="dropped by a rule",
        evidence="-i flannel.1 -j DROP",
    ),
    Fault(
        name="reverse path filter inside",
        node="b",
        sysctls={"net/ipv4/conf/flannel.1/rp_filter": 1},
        links=("route del 10.244.1.0/24",),
        verdict=Verdict.DROPPED,
        reason="the way back to 10.244.1.2 does not go by flannel.1",
        evidence="rp_filter = 1",
    ),
    Fault(
        name="no route to the other node",
        node="a",
        links=(
            "link del flannel.1",
            f"link add flannel.1 address {MACS['a']} type vxlan id 1 local {UNDERLAY['a']} dstport 8472 nolearning",
            "link set flannel.1 up",
            "route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink",
            f"neigh add 10.244.2.0 lladdr {MACS['b']} dev flannel.1 nud permanent",
            "route add blackhole 192.168.7.2/32",
        ),
        fdb=(f"append {MACS['b']} dev flannel.1 dst {UNDERLAY['b']} self permanent",),
        verdict=Verdict.NO_ROUTE,
        reason="the route to 192.168.7.2 is of type blackhole",
    ),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_is_broken_is_named(wired: Nodes, fault: Fault) -> None:
    """The packet is lost for real just where the trace says, and the trace says why."""
    host = wired.lab[f"host-{fault.node}"]
    host.sysctls(fault.sysctls)
    for line in fault.links:
        wired.host(fault.node, line)
    for words in fault.fdb:
        fdb(wired, fault.node, words)
    if fault.rules:
        wired.lab.load(f"host-{fault.node}", "iptables-nft-restore", fault.rules)

    path = assert_agrees(wired)

    assert path.ending.verdict is fault.verdict
    assert fault.reason in path.ending.reason
    assert path.hops[-1].node == fault.node
    last = path.hops[-1].steps[-1]
    assert not fault.evidence or any(fault.evidence in fact.text for fact in last.because)


def test_an_entry_for_an_address_that_nobody_has(wired: Nodes) -> None:
    """Before the first try nobody knows; after it, the neighbour table tells."""
    fdb(wired, "a", f"replace {MACS['b']} dev flannel.1 dst 192.168.7.99 self permanent")

    before = wired.path()
    wired.lab.reach("pod-a", PODS["b"], PORT, "udp")
    after = wait_for_path(wired, Verdict.NO_NEIGHBOUR)

    assert before.ending.verdict is Verdict.UNKNOWN
    assert before.ending.reason == "no node is known to have 192.168.7.99, to which a sends the outer packet"
    assert after.ending.reason == "nobody behind eth0 answers for 192.168.7.99"
    assert [fact.text for fact in after.hops[-1].steps[-1].because] == ["192.168.7.99 dev eth0 FAILED"]


def test_the_other_nodes_second_address(wired: Nodes) -> None:
    """The API need not know the address of a node by which its tunnels go."""
    wired.host("b", "addr add 192.168.7.22/24 dev eth0")
    fdb(wired, "a", f"replace {MACS['b']} dev flannel.1 dst 192.168.7.22 self permanent")

    assert assert_agrees(wired).ending.verdict is Verdict.DELIVERED


def wait_for_path(made: Nodes, verdict: Verdict) -> Path:
    """The path, as soon as it ends so."""
    deadline = time.monotonic() + 20
    while (path := made.path()).ending.verdict is not verdict and time.monotonic() < deadline:
        time.sleep(0.2)
    return path
