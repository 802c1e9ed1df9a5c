"""An answer: every question that was asked, with its trace, and what could not be looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kubectl_packetpath.cluster.clouds.base import Balancer
from kubectl_packetpath.cluster.flows import Existing
from kubectl_packetpath.cluster.model import Cluster, Service
from kubectl_packetpath.cluster.naming.resolver import Resolver
from kubectl_packetpath.cluster.policy.enforcement import Enforcement
from kubectl_packetpath.cluster.policy.judged import Judged
from kubectl_packetpath.cluster.question import Question
from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.state import NodeState
from kubectl_packetpath.trace import WORST_FIRST, Budget, Path, Trace, Verdict

ANYWHERE = {"Address", "Packet"}
"""Questions to which leaving the cluster is a good end; a Service's packet that leaves has mostly lost its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One way in and what becomes of it."""

    question: Question
    trace: Trace
    policies: tuple[Judged | None, ...] = ()
    """What policies say of each path of the trace; empty: nobody asked."""
    flows: tuple[Existing, ...] = ()
    """Existing connections to the same address and port on the node where this way begins, the pinned ones first."""
    budget: Budget | None = None
    """How long packets may be; None: nobody asked, or none arrives."""

    def policy_of(self, path: Path) -> Judged | None:
        """What policies say of one of the paths."""
        pairs = zip(self.trace.paths, self.policies, strict=False)
        return next((judged for each, judged in pairs if each is path), None)

    def undecided(self, path: Path) -> str:
        """Why a path that seems to arrive may not: an enforcer of policies that a walk does not see."""
        judged = self.policy_of(path)
        return judged.undecided if judged is not None and self._seeming(path) == "arrived" else ""

    def family_of(self, path: Path) -> str:
        """`arrived`, `lost` or `unknown`: of the path and its answer, and unknown below an assumption."""
        doubtful = _assumes(path) or self.question.doubt or self.undecided(path)
        return "unknown" if doubtful else self._seeming(path)

    def _seeming(self, path: Path) -> str:
        own = path.ending.verdict
        if self.strays(path):
            return "lost"
        if own.family == "arrived" and path.reply is not None:
            return path.reply.ending.verdict.family
        return own.family

    def strays(self, path: Path) -> bool:
        """Whether it leaves the cluster and should not, for its destination is no endpoint outside."""
        if path.ending.verdict is not Verdict.LEFT_CLUSTER or self.question.way in ANYWHERE:
            return False
        abroad = {(each.address, each.port) for each in self.question.expected if each.abroad}
        return (path.packet.destination, path.packet.dport) not in abroad

    @property
    def worst(self) -> Path | None:
        """The path that decides: lost with the greatest share, else one that is unknown, else the first."""
        paths = [path for path in self.trace.paths if path.weight != 0]
        for family in WORST_FIRST:
            found = [path for path in paths if self.family_of(path) == family]
            if found:
                return max(found, key=lambda path: path.weight or 0)
        return None

    @property
    def family(self) -> str:
        """Of the whole way: lost as soon as a share of new connections is."""
        return self.family_of(self.worst) if self.worst is not None else "unknown"

    @property
    def verdict(self) -> Verdict:
        """How the worst of its paths ends."""
        if self.worst is None or self.family == "unknown":
            return Verdict.UNKNOWN
        return end_of(self.worst)


def end_of(path: Path) -> Verdict:
    """A path's own end, or that of an answer which does not come back."""
    reply = path.reply
    if path.ending.verdict.family == "arrived" and reply is not None:
        lost = reply.ending.verdict.family != "arrived"
        return reply.ending.verdict if lost else path.ending.verdict
    return path.ending.verdict


def _assumes(path: Path) -> bool:
    return path.weight is None or (path.reply is not None and path.reply.weight is None)


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
    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    """What was read of the nodes on the way; a test or a recording may have none."""
    enforcement: Enforcement | None = None
    """Who enforces policies; None: nobody looked."""
    balancer: Balancer | None = None
    """The cloud's load balancer in front of the Service."""
    resolver: Resolver | None = None
    """The resolver of the client, where the way is that of its questions."""

    @property
    def verdict(self) -> Verdict:
        """The worst of all ways: lost before unknown before arrived."""
        for family in WORST_FIRST:
            found = [way.verdict for way in self.ways if way.family == family]
            if found:
                return found[0]
        return Verdict.UNKNOWN

    @property
    def family(self) -> str:
        """Of the worst of all ways."""
        present = {way.family for way in self.ways}
        return next((family for family in WORST_FIRST if family in present), "unknown")

    def name_of(self, address: Address) -> str:
        """The pod or node behind an address; empty when nobody is known there."""
        pod = self.cluster.pod_with(address)
        if pod is not None:
            return pod.full_name
        node = self.cluster.node_with(address)
        return node.name if node is not None else ""
