"""An answer: every question that was asked, with its trace, and what could not be looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kubectl_packetpath.cluster.model import Cluster, Service
from kubectl_packetpath.cluster.ways import Question
from kubectl_packetpath.packet import Address
from kubectl_packetpath.trace import Trace, Verdict

WORST_FIRST = ("lost", "unknown", "arrived")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One way in and what becomes of it."""

    question: Question
    trace: Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All that a run of the program has to tell."""

    target: str
    """As the user named it."""
    ways: tuple[Answered, ...]
    cluster: Cluster = field(default_factory=Cluster)
    service: Service | None = None
    notes: tuple[str, ...] = ()
    nodes_missing: Mapping[str, str] = field(default_factory=dict)
    """Nodes without state, and why."""

    @property
    def verdict(self) -> Verdict:
        """The worst of all ways: lost before unknown before arrived."""
        verdicts = [way.trace.verdict for way in self.ways]
        if not verdicts:
            return Verdict.UNKNOWN
        return min(verdicts, key=lambda verdict: WORST_FIRST.index(verdict.family))

    def name_of(self, address: Address) -> str:
        """The pod or node behind an address; empty when nobody is known there."""
        pod = self.cluster.pod_with(address)
        if pod is not None:
            return pod.full_name
        node = self.cluster.node_with(address)
        return node.name if node is not None else ""
