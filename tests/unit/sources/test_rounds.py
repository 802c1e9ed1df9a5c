"""Walks over nodes that are asked for more."""

import time
from dataclasses import replace

import pytest
from builders import cluster, questions

from kubectl_packetpath.snapshot import NetworkNamespace, Snapshot
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.snapshot.state import NodeState
from kubectl_packetpath.sources.agents import Agents
from kubectl_packetpath.sources.asking import query_of, traces_of
from kubectl_packetpath.sources.bundle import Bundle
from kubectl_packetpath.sources.rounds import MOST_IN_VAIN
from kubectl_packetpath.trace import Verdict
from kubectl_packetpath.walk.cluster import Need, Place, PlaceKind, Query


class Stubborn:
    """A node that never says more than that it is there."""

    def __init__(self, pause_seconds: float = 0.0) -> None:
        self.pause_seconds = pause_seconds
        self.missing: dict[str, str] = {}
        self.asked: list[tuple[Need, ...]] = []
        host = NetworkNamespace(identity=1, is_host=True)
        self._state = RecordedNode(Snapshot(node="node1", taken_at="", namespaces=(host,)))

    def open(self, _names: object, _flows: object = None) -> None:
        """It is open."""

    def node(self, name: str) -> NodeState | None:
        """The same poor state each time."""
        return self._state if name == "node1" else None

    def more(self, needs: tuple[Need, ...]) -> None:
        """Asked, and nothing comes of it."""
        self.asked.append(needs)

    def read_resolver(self, node: str, _client: object) -> str:
        """It has none."""
        return f"{node} has none"


@pytest.fixture
def query() -> Query:
    """A question that begins at the node."""
    question = next(each for each in questions(cluster()) if each.start.node == "node1")
    return replace(query_of(question), place=Place(kind=PlaceKind.HOST, node="node1"))


def test_a_node_that_never_answers_what_it_is_asked_ends_in_unknown(query: Query) -> None:
    """With what the walk still missed, and after few rounds in vain."""
    supplier = Stubborn()

    (trace,) = traces_of([query], cluster(), supplier)

    (path,) = trace.paths
    assert (path.ending.verdict, path.weight) == (Verdict.UNKNOWN, None)
    assert "node1" in path.ending.reason
    assert "of namespace 1" in path.ending.reason
    assert len(supplier.asked) <= MOST_IN_VAIN + 1


def test_what_may_change_is_given_time(query: Query) -> None:
    """Before each further round in vain a longer pause: once, twice and so on until it is given up."""
    began = time.monotonic()

    traces_of([query], cluster(), Stubborn(pause_seconds=0.01))

    assert time.monotonic() - began >= 0.01 * sum(range(MOST_IN_VAIN))


def test_a_recording_is_not_waited_for() -> None:
    """What it does not hold, it will not hold a moment later; the agents' answers may change."""
    assert (Bundle.pause_seconds, Agents.pause_seconds > 0) == (0, True)
