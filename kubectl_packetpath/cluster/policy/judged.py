"""Policies beside a walk: what they say of each path, and who would have to see to it.

Where an enforcer works by rules that the walk follows, the walk has its verdict. Where it works elsewhere, nobody can
say whether the packet passes, and the place is named.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kubectl_packetpath.cluster.policy.decide import decide
from kubectl_packetpath.cluster.policy.enforcement import Enforcement, owner_of
from kubectl_packetpath.cluster.policy.paths import flow_of
from kubectl_packetpath.cluster.policy.verdict import PolicyVerdict, Says
from kubectl_packetpath.cluster.policy.world import World
from kubectl_packetpath.cluster.question import Question
from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.absent import Why
from kubectl_packetpath.trace import Fact, Path, Verdict

RULES = ("iptables-legacy", "iptables-nft", "nftables")
PLACE = re.compile(r"\S+ (?P<table>[^/]+)/(?P<chain>[^/]+)/")
JUMP = re.compile(r"(?:-j|-g|\bjump|\bgoto) (\S+)")
BY_RULE = frozenset({Verdict.DROPPED, Verdict.REJECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What policies say of one path."""

    verdict: PolicyVerdict
    enforcement: Enforcement
    stopped_by: str = ""
    """The enforcer in whose chain the kernel stopped the packet; empty: it was not stopped, or not by one."""

    @property
    def undecided(self) -> str:
        """Why the walk's verdict is not the last word; empty where it is."""
        hidden = self.enforcement.hidden
        if not hidden or not self.verdict.applies:
            return ""
        places = " and ".join(
            f"{each.enforcer.name} enforces them by {each.enforcer.place}" for each in hidden
        )
        says = {
            Says.ALLOWED: "policies allow it",
            Says.DENIED: "policies deny it",
            Says.UNKNOWN: "policies may apply",
        }[self.verdict.says]
        return f"{says}, and {places}, where the walk does not see"


def judged(
    question: Question, sent: Packet, path: Path, world: World, enforcement: Enforcement
) -> Judged | None:
    """What policies say of a path; None where nobody asked for policies, or no flow is known."""
    unread = world.cluster.policies.absent.get("networkpolicies")
    if unread is not None and unread.why is Why.NOT_ASKED:
        return None
    flow = flow_of(question, sent, path, world.cluster)
    if flow is None:
        return None
    return Judged(verdict=decide(flow, world), enforcement=enforcement, stopped_by=stopped_by(path))


def stopped_by(path: Path) -> str:
    """The enforcer whose rule ended a path."""
    if path.ending.verdict not in BY_RULE or not path.hops[-1].steps:
        return ""
    owners = (owner for fact in path.hops[-1].steps[-1].because for owner in _owners(fact))
    return next((owner for owner in owners if owner), "")


def _owners(fact: Fact) -> tuple[str, ...]:
    found = PLACE.match(fact.key) if fact.section in RULES else None
    return (owner_of(found["chain"]), owner_of(found["table"])) if found is not None else ()


def chains_of(paths: Iterable[Path], node: str) -> frozenset[str]:
    """The names of all chains of a node that these paths went through, or were sent to."""
    facts = (
        fact
        for path in paths
        for hop in path.hops
        if hop.node == node
        for step in hop.steps
        for fact in step.because
        if fact.section in RULES
    )
    return frozenset(name for fact in facts for name in _chains(fact))


def _chains(fact: Fact) -> Iterator[str]:
    if (found := PLACE.match(fact.key)) is not None:
        yield found["chain"]
    yield from JUMP.findall(fact.text)


__all__ = ["Judged", "chains_of", "judged", "stopped_by"]
