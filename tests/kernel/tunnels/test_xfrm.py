"""IPsec policies and associations between the hosts of two pods: encrypted, or lost for want of one of them."""

from collections.abc import Iterator

import pytest
from kernel.tunnels.agreement import assert_agrees
from kernel.tunnels.nodes import NODES, PODS, UNDERLAY, Nodes, nodes, other

from kubectl_packetpath.trace import StepKind, Verdict

HERE = pytest.mark.kernel
"""Policies without associations."""
VM = pytest.mark.vm
"""ESP itself."""
KEYS = "enc cbc(aes) 0x00112233445566778899aabbccddeeff auth hmac(sha1) 0x00112233445566778899aabbccddeeff"
NETWORKS = {node: PODS[node].removesuffix("2") + "0/24" for node in NODES}


@pytest.fixture
def routed() -> Iterator[Nodes]:
    """Two nodes that route to each other's pods."""
    with nodes("xfrm") as made:
        for node in NODES:
            made.host(node, f"route add {NETWORKS[other(node)]} via {UNDERLAY[other(node)]}")
        yield made


def selector(here: str, direction: str) -> str:
    """Pods of a node to those of the other, or back."""
    there = other(here)
    source, destination = (here, there) if direction == "out" else (there, here)
    return f"xfrm policy add src {NETWORKS[source]} dst {NETWORKS[destination]} dir {direction}"


def policy(made: Nodes, here: str, direction: str, mode: str = "tunnel") -> None:
    """What goes this way must be encrypted."""
    ends = (UNDERLAY[here], UNDERLAY[other(here)])
    source, destination = ends if direction == "out" else ends[::-1]
    made.host(
        here,
        f"{selector(here, direction)} tmpl src {source} dst {destination} proto esp reqid 7 mode {mode}",
    )


def association(made: Nodes, source: str, spi: int, mode: str = "tunnel") -> None:
    """The same keys on both nodes."""
    ends = f"src {UNDERLAY[source]} dst {UNDERLAY[other(source)]}"
    for node in NODES:
        made.host(node, f"xfrm state add {ends} proto esp spi {spi:#x} reqid 7 mode {mode} {KEYS}")


@HERE
def test_without_policies_it_goes_plain(routed: Nodes) -> None:
    """The starting point."""
    assert assert_agrees(routed, tunnel="eth0").ending.verdict is Verdict.DELIVERED


@HERE
@pytest.mark.parametrize(("node", "direction"), [("a", "out"), ("b", "fwd"), ("a", "fwd")])
def test_a_policy_that_blocks(routed: Nodes, node: str, direction: str) -> None:
    """On the way out, and on the way through."""
    routed.host(node, f"{selector(node, direction)} action block")

    path = assert_agrees(routed, tunnel="eth0")

    if (node, direction) == ("a", "fwd"):
        assert path.ending.verdict is Verdict.DELIVERED
        assert path.reply is not None
        assert path.reply.ending.verdict is Verdict.DROPPED
    else:
        assert path.ending.verdict is Verdict.DROPPED
        assert path.ending.reason == "an IPsec policy blocks it"
        assert path.hops[-1].steps[-1].because[0].section == "xfrm"


@HERE
def test_the_policy_of_least_priority_number_counts(routed: Nodes) -> None:
    """One that allows stands before one that blocks."""
    routed.host("a", f"{selector('a', 'out')} action block priority 20")
    routed.host("a", "xfrm policy add src 10.0.0.0/8 dst 10.0.0.0/8 dir out action allow priority 10")

    assert assert_agrees(routed, tunnel="eth0").ending.verdict is Verdict.DELIVERED


@HERE
def test_a_policy_without_its_association(routed: Nodes) -> None:
    """Nothing goes plain instead."""
    policy(routed, "a", "out")

    path = assert_agrees(routed, tunnel="eth0")

    assert path.ending.verdict is Verdict.DROPPED
    assert path.ending.reason == (
        "it must be encrypted, and there is no IPsec association from 192.168.7.1 to 192.168.7.2"
    )


@HERE
def test_plain_where_it_should_be_encrypted(routed: Nodes) -> None:
    """The receiver's policy is not met."""
    policy(routed, "b", "fwd")

    path = assert_agrees(routed, tunnel="eth0")

    assert path.ending.verdict is Verdict.DROPPED
    assert path.ending.reason == "an IPsec policy wants it encrypted, and it came in plain"


@VM
def test_encrypted_from_node_to_node(routed: Nodes) -> None:
    """ESP on the wire, the packet itself before and after."""
    for node in NODES:
        for direction in ("out", "fwd", "in"):
            policy(routed, node, direction)
    association(routed, "a", 0x100)
    association(routed, "b", 0x200)

    path = assert_agrees(routed, tunnel="veth0")

    assert path.ending.verdict is Verdict.DELIVERED
    kinds = [step.kind for step in path.steps]
    assert StepKind.ENCRYPTED in kinds
    assert StepKind.DECRYPTED in kinds
    assert path.reply is not None
    assert path.reply.ending.verdict is Verdict.DELIVERED


@VM
def test_decrypted_and_not_wanted(routed: Nodes) -> None:
    """The policy for what comes in was forgotten."""
    policy(routed, "a", "out")
    association(routed, "a", 0x100)

    path = assert_agrees(routed, tunnel="veth0")

    assert path.ending.verdict is Verdict.DROPPED
    assert path.ending.reason == "it was decrypted, and no IPsec policy of direction fwd allows it"


@VM
def test_the_receiver_does_not_know_the_association(routed: Nodes) -> None:
    """Restarted, and its associations are gone."""
    policy(routed, "a", "out")
    association(routed, "a", 0x100)
    routed.host("b", "xfrm state flush")

    path = assert_agrees(routed, tunnel="veth0")

    assert path.ending.verdict is Verdict.DROPPED
    assert path.ending.reason == "b has no IPsec association for 192.168.7.2 with SPI 0x100"
