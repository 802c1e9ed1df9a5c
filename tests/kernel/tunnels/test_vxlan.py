"""Pods of two nodes behind flannel's VXLAN device: every frame on the way is as the trace says."""

from collections.abc import Iterator

import pytest
from kernel.tunnels.capture import Capture, capturing, comparable, told
from kernel.tunnels.nodes import NODES, PODS, PORT, UNDERLAY, Nodes, nodes

from kubectl_packetpath.trace import StepKind, Verdict
from testbed.netns import succeed

pytestmark = pytest.mark.kernel

MACS = {"a": "02:11:00:00:00:0a", "b": "02:11:00:00:00:0b"}
GATEWAYS = {"a": "10.244.1.0", "b": "10.244.2.0"}
PLACES = ("host-a/veth0", "host-b/eth0", "host-b/flannel.1", "pod-b/eth0")


def other(node: str) -> str:
    """The node at the other end."""
    return "b" if node == "a" else "a"


def flannel(made: Nodes, node: str, options: str = "dstport 8472 nolearning") -> None:
    """What flanneld sets up on a node."""
    there = other(node)
    made.host(
        node,
        f"link add flannel.1 address {MACS[node]} type vxlan id 1 local {UNDERLAY[node]} dev eth0 {options}",
        f"addr add {GATEWAYS[node]}/32 dev flannel.1",
        "link set flannel.1 up",
        f"route add {GATEWAYS[there]}/24 via {GATEWAYS[there]} dev flannel.1 onlink",
        f"neigh add {GATEWAYS[there]} lladdr {MACS[there]} dev flannel.1 nud permanent",
    )
    fdb(made, node, f"append {MACS[there]} dev flannel.1 dst {UNDERLAY[there]} self permanent")


def fdb(made: Nodes, node: str, words: str) -> None:
    """Run `bridge fdb` on a node."""
    succeed([*made.lab[f"host-{node}"].enter, "bridge", "fdb", *words.split()])


@pytest.fixture
def wired() -> Iterator[Nodes]:
    """Two nodes with flannel."""
    with nodes("vxlan") as made:
        for node in NODES:
            flannel(made, node)
        yield made


@pytest.fixture
def capture(wired: Nodes) -> Iterator[Capture]:
    """Listening all along the way."""
    with capturing(wired.lab, *PLACES) as listening:
        yield listening


def assert_agrees(made: Nodes, capture: Capture, protocol: str = "tcp") -> None:
    """The packet comes in exactly where the trace says, as it says."""
    expected = told(made.path(protocol=protocol), *PLACES)

    made.lab.reach("pod-a", PODS["b"], PORT, protocol, sport=40000)

    seen = capture.came_in(PORT, len(PLACES))
    assert comparable(seen, expected) == expected


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_every_frame_is_as_told(wired: Nodes, capture: Capture, protocol: str) -> None:
    """Outer and inner addresses, link addresses, VNI and ports, at each interface."""
    assert_agrees(wired, capture, protocol)
    path = wired.path(protocol=protocol)
    assert path.ending.verdict is Verdict.DELIVERED
    assert path.reply is not None
    assert path.reply.ending.verdict is Verdict.DELIVERED
    assert {StepKind.ENCAPSULATED, StepKind.DECAPSULATED} <= {step.kind for step in path.reply.steps}
