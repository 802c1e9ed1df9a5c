"""The agents of a live cluster, and what becomes of one that fails."""

import struct
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import websocket

from kubectl_packetpath.snapshot import NetworkNamespace, PodReference, Snapshot
from kubectl_packetpath.snapshot.codec import decode_value, encode
from kubectl_packetpath.sources.agents import Agents
from kubectl_packetpath.sources.api import Access, Api, ApiError
from kubectl_packetpath.sources.installation import AgentPod, Status
from kubectl_packetpath.walk.request import Client, Request

HOST = NetworkNamespace(identity=1, is_host=True)


class Conversation:
    """The websocket of a node whose agent answers each request with the same bytes."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.asked: list[Request] = []
        self.closed = False

    def settimeout(self, timeout: float) -> None:
        """Nothing waits here."""

    def send_binary(self, payload: bytes) -> int:
        """A request."""
        self.asked.append(decode_value(Request, payload[5:]))
        return len(payload)

    def recv_data(self) -> tuple[int, bytes]:
        """Its answer; None: the agent has died."""
        if self.answer is None:
            raise websocket.WebSocketConnectionClosedException("gone")
        return 2, b"\x01" + struct.pack(">I", len(self.answer)) + self.answer

    def close(self) -> None:
        """The client hung up."""
        self.closed = True


@dataclass
class Nodes:
    """An API server whose `exec` leads to these conversations."""

    conversations: dict[str, Conversation | ApiError]
    access: Access = field(default_factory=Access)

    def open_exec(self, _namespace: str, pod: str, _command: Any, _timeout: float) -> Conversation:
        """A conversation with a pod."""
        found = self.conversations[pod]
        if isinstance(found, ApiError):
            raise found
        return found


def snapshot(node: str) -> bytes:
    """An answer."""
    return b"A" + encode(Snapshot(node=node, taken_at="2026-01-01T00:00:00Z", namespaces=(HOST,)))


def agents(**conversations: Conversation | ApiError) -> Agents:
    """One agent on each of these nodes."""
    pods = tuple(AgentPod(name=name, node=name, ready=True) for name in conversations)
    status = Status(installed=True, wanted=len(pods), pods=pods)
    return Agents(api=cast("Api", Nodes(conversations)), status=status)


def test_an_agent_that_does_not_know_resolvers_is_none_the_worse() -> None:
    """An older one refuses the request: that is said, and the node stays known."""
    conversation = Conversation(snapshot("n1"))
    asking = agents(n1=conversation)
    asking.open({"n1"})
    conversation.answer = b"E" + b"the request does not fit this agent's version"

    why = asking.read_resolver("n1", Client(pod=PodReference(uid="x")))

    assert why == "the request does not fit this agent's version"
    assert (asking.node("n1") is not None, asking.missing) == (True, {})
    assert [len(each.resolvers) for each in conversation.asked] == [0, 1]


def test_a_node_is_asked_for_its_base_first() -> None:
    """Its small tables and namespaces; the rest when a walk needs it."""
    conversation = Conversation(snapshot("n1"))

    state = agents(n1=conversation).node("n1")

    assert state is not None
    assert state.host().identity == 1
    assert [request.what for request in conversation.asked] == ["base"]


def test_a_node_is_asked_once() -> None:
    """What is known is known."""
    conversation = Conversation(snapshot("n1"))
    found = agents(n1=conversation)

    found.open({"n1"})
    found.node("n1")

    assert len(conversation.asked) == 1


@pytest.mark.parametrize(
    ("conversation", "reason"),
    [
        (Conversation(None), "gone"),
        (Conversation(b"Ethe kernel's state cannot be read"), "cannot be read"),
        (Conversation(b"Agarbage"), "not a packetpath snapshot"),
        (Conversation(b""), "unknown kind"),
        (ApiError(403, "Not allowed: exec"), "Not allowed"),
    ],
)
def test_an_agent_that_fails_costs_only_its_node(conversation: Conversation | ApiError, reason: str) -> None:
    """With the reason beside its name."""
    found = agents(n1=Conversation(snapshot("n1")), n2=conversation)

    found.open({"n1", "n2"})

    assert found.node("n1") is not None
    assert found.node("n2") is None
    assert list(found.missing) == ["n2"]
    assert reason in found.missing["n2"]


def test_a_node_without_an_agent_is_missing() -> None:
    """Nobody to ask there."""
    found = agents(n1=Conversation(snapshot("n1")))

    assert found.node("n9") is None
    assert found.missing == {"n9": "no agent runs there"}


def test_whole_recordings_are_kept_as_the_agents_encoded_them() -> None:
    """Checked, and not encoded anew."""
    found = agents(n1=Conversation(snapshot("n1")), n2=Conversation(None))

    assert found.snapshots(["n1", "n2"]) == {"n1": snapshot("n1")[1:]}
    assert list(found.missing) == ["n2"]


def test_all_conversations_end_with_the_question() -> None:
    """Programs on the nodes end with their input."""
    conversation = Conversation(snapshot("n1"))
    found = agents(n1=conversation)
    found.node("n1")

    found.close()

    assert conversation.closed
