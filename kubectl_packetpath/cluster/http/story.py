"""A request and its connections, answered: one story with one end."""

from dataclasses import dataclass, field

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.cluster.http.decision import Decision, Result
from kubectl_packetpath.cluster.http.encryption import Boundary, between_nodes, boundaries
from kubectl_packetpath.cluster.http.live.drift import Live
from kubectl_packetpath.cluster.http.plan import Plan
from kubectl_packetpath.cluster.http.tls.serving import Shown
from kubectl_packetpath.cluster.naming.resolver import Resolver
from kubectl_packetpath.cluster.naming.resolving import Resolution
from kubectl_packetpath.trace import WORST_FIRST

ENDS = {
    Result.FORWARDED: "arrived",
    Result.REDIRECTED: "arrived",
    Result.ANSWERED: "lost",
    Result.REFUSED: "lost",
    Result.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One connection with its answer."""

    title: str
    answer: Answer

    @property
    def family(self) -> str:
        """`arrived`, `lost` or `unknown`; empty where there was nothing to ask."""
        return self.answer.family if self.answer.ways else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A request at one controller, or a name that leads to a Service."""

    title: str
    plan: Plan | None = None
    """None for a name of the cluster: no proxy decides."""
    shown: Shown | None = None
    resolution: Resolution | None = None
    resolver: Resolver | None = None
    told: tuple[Told, ...] = ()
    live: Live = field(default_factory=Live)
    """What its proxies say that they have loaded."""
    notes: tuple[str, ...] = field(default=())

    @property
    def encryption(self) -> tuple[Boundary, ...]:
        """Where the request is encrypted and where not, by its objects and by the nodes' kernels."""
        if self.plan is None or not (found := boundaries(self.plan)):
            return ()
        wires = between_nodes(each.answer for each in self.told)
        return (*found, wires) if wires is not None else found

    @property
    def decision(self) -> Decision | None:
        """What the proxy decides."""
        return self.plan.decision if self.plan is not None else None

    @property
    def family(self) -> str:
        """Of the whole: lost as soon as a part is, unknown if it rests on what is not known."""
        return next((family for family in WORST_FIRST if family in set(self._families())), "arrived")

    def _families(self) -> list[str]:
        found = [each.family for each in self.told if each.family]
        decision = self.decision
        if decision is not None:
            found.append(decision_family(decision))
            if not any(each.family for each in self.told) and ENDS[decision.result] == "arrived":
                found.append("unknown")
        found += self.live.families
        if self.shown is not None and self.shown.problems:
            found.append("lost")
        if self.resolution is not None and not self.resolution.addresses:
            found.append("lost" if self.resolution.is_certain else "unknown")
        return found


def decision_family(decision: Decision) -> str:
    """`lost` where a share of the requests fails for certain."""
    if decision.doubts:
        return "unknown"
    if any(each.status for each in decision.shares):
        return "lost"
    return ENDS[decision.result]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stories:
    """All that there is to tell of a question about HTTP requests."""

    target: str
    stories: tuple[Story, ...]
    notes: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """Of the worst of them."""
        present = {each.family for each in self.stories}
        return next((family for family in WORST_FIRST if family in present), "unknown")
