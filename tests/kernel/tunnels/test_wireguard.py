"""WireGuard between pods of two nodes: the encrypted packet is as the trace says, and what does not fit is named."""

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from kernel.tunnels.agreement import assert_agrees
from kernel.tunnels.capture import SEALED_PORT
from kernel.tunnels.nodes import NODES, PODS, UNDERLAY, Nodes, nodes, other
from pyroute2 import WireGuard

from kubectl_packetpath.trace import StepKind, Verdict
from packetpath_agent.netns import inside

pytestmark = pytest.mark.vm


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What a node knows of the other."""

    key: str
    allowed: tuple[str, ...]
    endpoint: str | None
    port: int = SEALED_PORT


@contextmanager
def wireguard_of(made: Nodes, node: str) -> Iterator[WireGuard]:
    """The settings of a node's devices."""
    with made.lab[f"host-{node}"].path.open() as handle, inside(handle.fileno()):
        control = WireGuard()
    with control:
        yield control


def give_key(made: Nodes, node: str) -> str:
    """The node's device gets a key; the public one."""
    with wireguard_of(made, node) as control:
        control.set("wg0", private_key=base64.b64encode(os.urandom(32)), listen_port=SEALED_PORT)
        key = control.info("wg0")[0].get_attr("WGDEVICE_A_PUBLIC_KEY")
    return str(key.decode() if isinstance(key, bytes) else key)


def meet(made: Nodes, node: str, peer: Peer, **more: object) -> None:
    """Tell a node of its peer."""
    told: dict[str, object] = {"public_key": peer.key, "allowed_ips": list(peer.allowed)}
    if peer.endpoint is not None:
        told |= {"endpoint_addr": peer.endpoint, "endpoint_port": peer.port}
    with wireguard_of(made, node) as control:
        control.set("wg0", peer=told, **more)


@pytest.fixture
def keyed() -> Iterator[tuple[Nodes, dict[str, Peer]]]:
    """Two nodes with WireGuard devices that do not know each other, and what each should know."""
    with nodes("wireguard") as made:
        peers = {}
        for node in NODES:
            theirs = PODS[other(node)].removesuffix("2") + "0/24"
            made.host(node, "link add wg0 type wireguard", f"addr add {PODS[node][:-1]}0/32 dev wg0")
            key = give_key(made, node)
            made.host(node, "link set wg0 mtu 1420 up", f"route add {theirs} dev wg0")
            own = PODS[node].removesuffix("2") + "0/24"
            peers[node] = Peer(key=key, allowed=(own,), endpoint=UNDERLAY[node])
        yield made, peers


def test_every_packet_is_as_told(keyed: tuple[Nodes, dict[str, Peer]]) -> None:
    """Encrypted on the wire, decrypted on the other side; the peer is the evidence."""
    made, peers = keyed
    for node in NODES:
        meet(made, node, peers[other(node)])

    path = assert_agrees(made, tunnel="wg0")

    assert path.ending.verdict is Verdict.DELIVERED
    step = next(step for step in path.steps if step.kind is StepKind.ENCRYPTED)
    assert [fact.text.split()[1] for fact in step.because] == [peers["b"].key]
    assert step.because[0].text.endswith("no handshake yet")
    again = next(step for step in made.path().steps if step.kind is StepKind.ENCRYPTED)
    assert "latest handshake 20" in again.because[0].text
    assert StepKind.DECRYPTED in {step.kind for step in path.steps}


def test_the_length_on_the_wire(keyed: tuple[Nodes, dict[str, Peer]]) -> None:
    """Filled up to 16 bytes, never past the device's MTU."""
    made, peers = keyed
    for node in NODES:
        meet(made, node, peers[other(node)])

    lengths = {}
    for size in (60, 1380, 1415, 1420):
        path = made.trace(protocol="udp", size=size).paths[0]
        step = next(step for step in path.steps if step.kind is StepKind.ENCRYPTED)
        assert step.after is not None
        lengths[size] = step.after.size_bytes - 60

    assert lengths == {60: 64, 1380: 1392, 1415: 1420, 1420: 1420}


def test_no_peer_for_the_destination(keyed: tuple[Nodes, dict[str, Peer]]) -> None:
    """The sender is told that the host is unreachable."""
    made, peers = keyed
    meet(made, "a", replace(peers["b"], allowed=("10.99.0.0/16",)))

    path = assert_agrees(made, tunnel="wg0")

    assert path.ending.verdict is Verdict.NO_NEIGHBOUR
    assert path.ending.reason == "no peer of wg0 may have 10.244.2.2 (allowed IPs)"


def test_no_endpoint(keyed: tuple[Nodes, dict[str, Peer]]) -> None:
    """The peer has to speak first."""
    made, peers = keyed
    meet(made, "a", replace(peers["b"], endpoint=None))

    path = assert_agrees(made, tunnel="wg0")

    assert path.ending.verdict is Verdict.NO_NEIGHBOUR
    assert "no endpoint" in path.ending.reason


def test_the_longest_prefix_wins(keyed: tuple[Nodes, dict[str, Peer]]) -> None:
    """Another peer for everything does not take it."""
    made, peers = keyed
    meet(made, "a", Peer(key="A" * 42 + "E=", allowed=("0.0.0.0/0",), endpoint="192.168.7.50"))
    meet(made, "a", peers["b"])
    meet(made, "b", peers["a"])

    assert assert_agrees(made, tunnel="wg0").ending.verdict is Verdict.DELIVERED


def test_a_source_that_the_peer_may_not_have(keyed: tuple[Nodes, dict[str, Peer]]) -> None:
    """The handshake works, and the packet is dropped after it was decrypted."""
    made, peers = keyed
    meet(made, "a", peers["b"])
    meet(made, "b", replace(peers["a"], allowed=("10.99.0.0/16",)))

    path = made.path()

    assert path.ending.verdict is Verdict.DROPPED
    assert "does not believe 10.244.1.2 of this peer" in path.ending.reason
    assert made.lab.reach("pod-a", PODS["b"], 8080, "udp")["result"] == "timeout"


@pytest.mark.parametrize("fault", ["another key", "unknown sender", "another port"])
def test_peers_that_do_not_fit(keyed: tuple[Nodes, dict[str, Peer]], fault: str) -> None:
    """No handshake comes about."""
    made, peers = keyed
    to_b, of_a = peers["b"], peers["a"]
    if fault == "another key":
        to_b = replace(to_b, key="A" * 42 + "E=")
    elif fault == "unknown sender":
        of_a = replace(of_a, key="A" * 42 + "E=")
    else:
        to_b = replace(to_b, port=51999)
    meet(made, "a", to_b)
    meet(made, "b", of_a)

    path = made.path()

    assert path.ending.verdict is Verdict.DROPPED
    reasons = {
        "another key": "it was encrypted for the key",
        "unknown sender": "does not know the sender's key",
        "another port": "no WireGuard device listens on UDP port 51999 of b",
    }
    assert reasons[fault] in path.ending.reason
    assert made.lab.reach("pod-a", PODS["b"], 8080, "udp")["result"] == "timeout"


def test_the_devices_mark_chooses_the_way(keyed: tuple[Nodes, dict[str, Peer]]) -> None:
    """The encrypted packet carries the device's mark: rules see it, and so does routing."""
    made, peers = keyed
    meet(made, "a", peers["b"], fwmark=0x51)
    meet(made, "b", peers["a"])
    made.lab.load(
        "host-a", "iptables-nft-restore", "*filter\n-A OUTPUT -m mark --mark 0x51 -j DROP\nCOMMIT\n"
    )

    path = assert_agrees(made, tunnel="wg0")

    assert path.ending.verdict is Verdict.DROPPED
