"""Packets that are too long for a tunnel, a wire or a bridge: where they die, and whether their sender hears of it."""

import errno
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from kernel.tunnels.flannel import flannel, overlay
from kernel.tunnels.nodes import NODES, PODS, PORT, UNDERLAY, UNDERLAY6, Nodes, nodes, other

from kubectl_packetpath.trace import Path as Way
from kubectl_packetpath.trace import StepKind, Verdict
from testbed.netns import succeed

pytestmark = pytest.mark.kernel

SIZED = Path(__file__).with_name("sized.py")
MTU = 1450


@pytest.fixture
def wired() -> Iterator[Nodes]:
    """Two nodes with flannel, whose pods do not know of the tunnel's MTU."""
    with nodes("length") as made:
        for node in NODES:
            flannel(made, node)
            made.host(node, f"link set flannel.1 mtu {MTU}")
        yield made


def sent(made: Nodes, size: int, target: str = PODS["b"]) -> str:
    """Send a packet of this length for real: `reached`, `timeout`, or `told` to send shorter ones."""
    command = [*made.lab["pod-a"].enter, sys.executable, str(SIZED), target, str(PORT), str(size)]
    said = str(json.loads(succeed(command)))
    return "told" if said == str(errno.EMSGSIZE) else said


def path(made: Nodes, size: int, target: str = PODS["b"]) -> Way:
    """The way of such a packet."""
    (only,) = made.trace(target, "udp", size=size).paths
    return only


@pytest.mark.parametrize("size", [MTU, MTU + 1])
def test_the_tunnels_mtu(wired: Nodes, size: int) -> None:
    """One byte more is refused by the node, and the pod is told."""
    way = path(wired, size)

    if size == MTU:
        assert way.ending.verdict is Verdict.DELIVERED
        assert sent(wired, size) == "reached"
    else:
        assert way.ending.verdict is Verdict.TOO_BIG
        assert way.ending.reason == (
            "1451 bytes do not fit into the 1450 of flannel.1, and may not be cut; "
            "its sender is told to send at most 1450 bytes"
        )
        assert sent(wired, size) == "told"


def test_the_message_is_dropped_by_a_rule(wired: Nodes) -> None:
    """The black hole: long packets vanish, and nobody knows why."""
    wired.lab.load("host-a", "iptables-nft-restore", "*filter\n-A OUTPUT -p icmp -j DROP\nCOMMIT\n")

    way = path(wired, 1500)

    assert way.ending.verdict is Verdict.TOO_BIG
    assert way.ending.reason.endswith("its sender is never told: dropped by a rule on a")
    assert sent(wired, 1500) == "timeout"


def test_the_message_of_the_other_node_comes_back_through_the_tunnel(wired: Nodes) -> None:
    """The pod's link on the other node is shorter."""
    wired.host("b", "link set veth0 mtu 1300")

    way = path(wired, 1400)

    assert way.ending.verdict is Verdict.TOO_BIG
    assert way.ending.reason == (
        "1400 bytes do not fit into the 1300 of veth0, and may not be cut; "
        "its sender is told to send at most 1300 bytes"
    )
    assert sent(wired, 1400) == "told"


def test_the_message_finds_the_translated_connection(wired: Nodes) -> None:
    """Masqueraded on the way out: the message is for the node, which knows whom it is about."""
    wired.lab.load(
        "host-a", "iptables-nft-restore", "*nat\n-A POSTROUTING -o flannel.1 -j MASQUERADE\nCOMMIT\n"
    )
    wired.host("b", "link set veth0 mtu 1300")

    way = path(wired, 1400)

    assert way.ending.reason.endswith("its sender is told to send at most 1300 bytes")
    assert sent(wired, 1400) == "told"


def test_an_established_rule_lets_the_message_through(wired: Nodes) -> None:
    """RELATED is its state, in FORWARD of the node that passes it on."""
    rules = "*filter\n-A FORWARD -i flannel.1 -m conntrack --ctstate {} -j DROP\nCOMMIT\n"
    wired.host("b", "link set veth0 mtu 1300")
    wired.lab.load("host-a", "iptables-nft-restore", rules.format("INVALID,NEW"))

    assert path(wired, 1400).ending.reason.endswith("its sender is told to send at most 1300 bytes")
    assert sent(wired, 1400) == "told"
    wired.lab.load("host-a", "iptables-nft-restore", rules.format("RELATED"))
    assert path(wired, 1400).ending.reason.endswith("its sender is never told: dropped by a rule on a")


@pytest.fixture
def bare() -> Iterator[Nodes]:
    """Two nodes without an overlay."""
    with nodes("pieces") as made:
        yield made


def full(made: Nodes, words: str = "", table: Mapping[str, str] = UNDERLAY) -> None:
    """VXLAN devices of the same MTU as the wire."""
    for node in NODES:
        overlay(made, node, f"local {table[node]} remote {table[other(node)]} {words}")
        made.host(node, "link set flannel.1 mtu 1500")


def test_a_tunnel_with_the_mtu_of_the_wire_sends_pieces(bare: Nodes) -> None:
    """The outer packet may be cut: it arrives, at twice the packets."""
    full(bare)

    way = path(bare, 1500)

    assert way.ending.verdict is Verdict.DELIVERED
    assert [step.text for step in way.steps if step.kind is StepKind.FRAGMENTED] == [
        "1550 bytes do not fit into the 1500 of eth0: it is sent in pieces"
    ]
    assert sent(bare, 1500) == "reached"


@pytest.mark.parametrize("words", ["df set", "df inherit"])
@pytest.mark.parametrize("learns", [0, 1])
def test_an_outer_packet_that_may_not_be_cut(bare: Nodes, words: str, learns: int) -> None:
    """What the node learns of the tunnel's way counts for packets that it passes on only if a setting says so."""
    full(bare, words)
    bare.lab["host-a"].sysctls({"net/ipv4/ip_forward_use_pmtu": learns})

    way = path(bare, 1500)

    assert way.ending.verdict is Verdict.TOO_BIG
    text = "its sender is told to send at most 1450 bytes" if learns else "nobody is told"
    assert way.ending.reason.endswith(text)
    sent(bare, 1500)
    assert sent(bare, 1500) == ("told" if learns else "timeout")


def test_over_ipv6_nothing_is_cut(bare: Nodes) -> None:
    """Not even by the host that makes the outer packet."""
    full(bare, table=UNDERLAY6)

    assert path(bare, 1430).ending.verdict is Verdict.DELIVERED
    assert sent(bare, 1430) == "reached"
    way = path(bare, 1431)
    assert way.ending.verdict is Verdict.TOO_BIG
    assert way.ending.reason.endswith("nobody is told")
    assert sent(bare, 1431) == sent(bare, 1431) == "timeout"


def test_ipv6_inside_is_told_too(bare: Nodes) -> None:
    """Packet too big, for IPv6."""
    for node in NODES:
        overlay(bare, node, f"remote {UNDERLAY[other(node)]}")
        bare.host(node, "link set flannel.1 mtu 1400")

    way = path(bare, 1401, "fd24:2::2")

    assert way.ending.reason.endswith("its sender is told to send at most 1400 bytes")
    assert sent(bare, 1401, "fd24:2::2") == "told"
    assert sent(bare, 1400, "fd24:2::2") == "reached"


def test_a_neighbour_that_nobody_answers_for(bare: Nodes) -> None:
    """A route without a gateway by the tunnel: the other node does not have the pod's address itself."""
    for node in NODES:
        overlay(bare, node, f"remote {UNDERLAY[other(node)]}")
        number = 2 if node == "a" else 1
        bare.host(node, f"route replace 10.244.{number}.0/24 dev flannel.1")

    way = path(bare, 100)

    assert way.ending.verdict is Verdict.NO_NEIGHBOUR
    assert way.ending.reason == "nobody answers who has 10.244.2.2: flannel.1 of b has not"
    assert sent(bare, 100) not in {"reached", "told"}


def test_the_far_end_of_the_wire_is_shorter(wired: Nodes) -> None:
    """Nobody is told."""
    wired.host("b", "link set eth0 mtu 1400")

    way = path(wired, 1440)

    assert way.ending.verdict is Verdict.TOO_BIG
    assert way.ending.reason == "1490 bytes do not fit into the 1400 of eth0 of b, and nobody is told"
    assert sent(wired, 1440) == "timeout"


def test_the_budget_of_a_way(wired: Nodes) -> None:
    """The longest packet that passes really does, and one byte more does not."""
    found = wired.budget()

    assert found.packet_bytes == MTU
    assert found.payload_bytes == MTU - 28
    assert found.limit.startswith("1451 bytes do not fit into the 1450 of flannel.1")
    assert found.pieces_from is None
    assert sent(wired, MTU) == "reached"
    assert sent(wired, MTU + 1) == "told"


def test_the_budget_of_a_way_with_pieces(bare: Nodes) -> None:
    """From 1451 bytes on the outer packet is cut; the wire of the pod is the limit."""
    full(bare)

    found = bare.budget()

    assert (found.packet_bytes, found.pieces_from) == (1500, 1451)


def test_the_budget_ends_where_the_answer_does_not_fit(wired: Nodes) -> None:
    """The way back may be narrower."""
    wired.host("b", "link set flannel.1 mtu 1280")

    found = wired.budget()

    assert found.packet_bytes == 1280
    assert "1280 of flannel.1" in found.limit
