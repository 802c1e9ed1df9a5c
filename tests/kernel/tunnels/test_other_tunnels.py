"""IPIP, SIT, ip6tnl, GRE and Geneve between pods of two nodes: every packet on the way is as the trace says."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from kernel.tunnels.agreement import assert_agrees
from kernel.tunnels.nodes import NODES, PODS, UNDERLAY, UNDERLAY6, Nodes, nodes, other

from kubectl_packetpath.trace import StepKind, Verdict

pytestmark = pytest.mark.vm

PODS6 = "fd24:2::2"


@pytest.fixture
def bare() -> Iterator[Nodes]:
    """Two nodes without tunnels."""
    with nodes("tunnels") as made:
        yield made


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A kind of tunnel, by the words that `ip link add` wants: `{here}` and `{there}` are the nodes' addresses."""

    name: str
    words: str
    target: str = PODS["b"]
    via: str = ""
    """The gateway of the route by the tunnel."""
    device: str = "tun0"
    overhead: int = 0
    """Bytes that it puts in front."""


SHAPES = (
    Shape(name="flannel ipip", words="ipip local {here}", via="{there}", overhead=20),
    Shape(name="ipip", words="ipip local {here} remote {there}", overhead=20),
    Shape(name="calico ipip", words="", via="{there}", device="tunl0", overhead=20),
    Shape(name="sit", words="sit local {here} remote {there}", target=PODS6, overhead=20),
    Shape(name="ipip in sit", words="sit local {here} remote {there} mode any", overhead=20),
    Shape(name="ip6tnl", words="ip6tnl local {here6} remote {there6} mode any", overhead=48),
    Shape(
        name="ip6ip6",
        words="ip6tnl local {here6} remote {there6} mode ip6ip6 encaplimit none",
        target=PODS6,
        overhead=40,
    ),
    Shape(name="gre", words="gre local {here} remote {there}", overhead=24),
    Shape(name="gre with a key", words="gre local {here} remote {there} key 77 csum", overhead=32),
    Shape(name="gre for ipv6", words="gre local {here} remote {there}", target=PODS6, overhead=24),
    Shape(name="ip6gre", words="ip6gre local {here6} remote {there6} encaplimit none key 5", overhead=48),
    Shape(name="gretap", words="gretap local {here} remote {there}", via="{gateway}", overhead=38),
    Shape(name="geneve", words="geneve id 33 remote {there}", via="{gateway}", overhead=50),
    Shape(name="geneve over ipv6", words="geneve id 33 remote {there6}", via="{gateway}", overhead=70),
)


def set_up(made: Nodes, node: str, shape: Shape, words: str = "") -> None:
    """Make the tunnel, and the route to the other node's pods by it."""
    there = other(node)
    mine, theirs = (PODS[each].split(".")[2] for each in (node, there))
    names = {
        "here": UNDERLAY[node],
        "there": UNDERLAY[there],
        "here6": UNDERLAY6[node],
        "there6": UNDERLAY6[there],
        "gateway": f"10.244.{theirs}.0",
    }
    via = f"via {shape.via.format(**names)} " if shape.via else ""
    onlink = " onlink" if via else ""
    made.host(
        node,
        *([f"link add tun0 type {(words or shape.words).format(**names)}"] if shape.words else []),
        f"addr add 10.244.{mine}.0/32 dev {shape.device}",
        f"link set {shape.device} up",
        f"route add 10.244.{theirs}.0/24 {via}dev {shape.device}{onlink}",
        f"route add fd24:{theirs}::/64 dev {shape.device}",
    )


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_every_packet_is_as_told(bare: Nodes, shape: Shape) -> None:
    """Outer and inner addresses, protocol, keys; there and back."""
    for node in NODES:
        set_up(bare, node, shape)

    path = assert_agrees(bare, target=shape.target, tunnel=shape.device)

    assert path.ending.verdict is Verdict.DELIVERED
    assert path.reply is not None
    assert path.reply.ending.verdict is Verdict.DELIVERED
    step = next(step for step in path.steps if step.kind is StepKind.ENCAPSULATED)
    assert step.before is not None
    assert step.after is not None
    assert step.after.size_bytes - step.before.size_bytes == shape.overhead


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A tunnel on node b that does not fit the one on a."""

    name: str
    a: str
    b: str
    reason: str
    target: str = PODS["b"]
    via: str = ""


FAULTS = (
    Fault(
        name="ipip of another peer",
        a="ipip local {here} remote {there}",
        b="ipip local {here} remote 192.168.7.9",
        reason="no tunnel device of b takes ipip from 192.168.7.1 to 192.168.7.2",
    ),
    Fault(
        name="gre key",
        a="gre local {here} remote {there} key 1",
        b="gre local {here} remote {there} key 2",
        reason="no tunnel device of b takes gre from 192.168.7.1 to 192.168.7.2 with key 1",
    ),
    Fault(
        name="gre without a key",
        a="gre local {here} remote {there} key 1",
        b="gre local {here} remote {there}",
        reason="with key 1",
    ),
    Fault(
        name="geneve vni",
        a="geneve id 1 remote {there}",
        b="geneve id 2 remote {there}",
        via="{gateway}",
        reason="no Geneve device of b takes VNI 1 from 192.168.7.1 (tun0 has 2 of 192.168.7.1)",
    ),
    Fault(
        name="geneve peer",
        a="geneve id 1 remote {there}",
        b="geneve id 1 remote 192.168.7.9",
        via="{gateway}",
        reason="takes VNI 1 from 192.168.7.1",
    ),
    Fault(
        name="geneve port",
        a="geneve id 1 remote {there}",
        b="geneve id 1 remote {there} dstport 6999",
        via="{gateway}",
        reason="no Geneve device listens on UDP port 6081 of b",
    ),
    Fault(
        name="ipv4 in ip6ip6",
        a="ip6tnl local {here6} remote {there6} mode ip6ip6",
        b="ip6tnl local {here6} remote {there6} mode ip6ip6",
        reason="the ip6tnl device tun0 does not carry IPv4",
    ),
    Fault(
        name="ipv4 in sit for ipv6",
        a="sit local {here} remote {there} mode ip6ip",
        b="sit local {here} remote {there} mode ip6ip",
        reason="no tunnel device of b takes ipip from 192.168.7.1 to 192.168.7.2",
    ),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_does_not_fit_is_named(bare: Nodes, fault: Fault) -> None:
    """Lost for real where the trace says."""
    for node, words in zip(NODES, (fault.a, fault.b), strict=True):
        set_up(bare, node, Shape(name="", words=words, via=fault.via))
        if fault.via:
            there = other(node)
            bare.host(node, "link set tun0 address 02:22:00:00:00:0" + node)
            gateway = f"10.244.{PODS[there].split('.')[2]}.0"
            bare.host(node, f"neigh add {gateway} lladdr 02:22:00:00:00:0{there} dev tun0")

    path = assert_agrees(bare, target=fault.target, tunnel="tun0")

    assert path.ending.verdict is Verdict.DROPPED
    assert fault.reason in path.ending.reason


def test_the_outer_protocol_dropped_by_a_rule(bare: Nodes) -> None:
    """A firewall that does not know protocol 4."""
    for node in NODES:
        set_up(bare, node, SHAPES[0])
    bare.lab.load("host-b", "iptables-nft-restore", "*filter\n-A INPUT -p 4 -j DROP\nCOMMIT\n")

    path = assert_agrees(bare, tunnel="tun0")

    assert path.ending.verdict is Verdict.DROPPED
    assert any("-p ipencap" in fact.text or "-p 4" in fact.text for fact in path.hops[-1].steps[-1].because)


def test_the_tunnels_mark_chooses_the_way(bare: Nodes) -> None:
    """The outer route is looked up by the tunnel's mark, not by the packet's."""
    for node in NODES:
        set_up(bare, node, SHAPES[1], "ipip local {here} remote {there} fwmark 0x9")
    bare.host("a", "rule add fwmark 0x9 lookup 99", "route add blackhole default table 99")

    path = assert_agrees(bare, tunnel="tun0")

    assert path.ending.verdict is Verdict.NO_ROUTE


def test_a_tunnel_to_itself(bare: Nodes) -> None:
    """The way to the peer goes by the tunnel."""
    set_up(bare, "a", SHAPES[1])
    bare.host("a", f"route add {UNDERLAY['b']}/32 dev tun0")

    path = assert_agrees(bare, tunnel="eth0")

    assert path.ending.verdict is Verdict.LOOPED
