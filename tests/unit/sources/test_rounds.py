"""Walks over nodes that are asked for more."""

from dataclasses import replace

from builders import cluster, questions

from kubectl_packetpath.snapshot import NetworkNamespace, Snapshot
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.snapshot.state import NodeState
from kubectl_packetpath.sources.asking import query_of, traces_of
from kubectl_packetpath.sources.rounds import MOST_IN_VAIN
from kubectl_packetpath.trace import Verdict
from kubectl_packetpath.walk.cluster import Need, Place, PlaceKind


class Stubborn:
    """A node that never says more than that it is there."""

    def __init__(self) -> None:
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


def test_a_node_that_never_answers_what_it_is_asked_ends_in_unknown() -> None:
    """With what the walk still missed, and after few rounds in vain."""
    world = cluster()
    question = next(each for each in questions(world) if each.start.node == "node1")
    supplier = Stubborn()
    query = replace(query_of(question), place=Place(kind=PlaceKind.HOST, node="node1"))

    (trace,) = traces_of([query], world, supplier)

    (path,) = trace.paths
    assert (path.ending.verdict, path.weight) == (Verdict.UNKNOWN, None)
    assert "node1" in path.ending.reason
    assert "of namespace 1" in path.ending.reason
    assert len(supplier.asked) <= MOST_IN_VAIN + 1
