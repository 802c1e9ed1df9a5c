"""NetworkPolicies: closed by being selected, opened by a rule of any of them.

A pod that no policy selects for a direction is open in it. One that is selected is isolated, and then a flow needs
one rule, of whichever policy that selects the pod. No rule can deny.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/network-policies/ (the two sorts of pod isolation)
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kubectl_packetpath.cluster.model import Pod
from kubectl_packetpath.cluster.policy.flow import Party, PolicyFlow
from kubectl_packetpath.cluster.policy.objects import Direction, NetworkPolicy, PolicyName
from kubectl_packetpath.cluster.policy.peers import Asked
from kubectl_packetpath.cluster.policy.ports import JUDGED
from kubectl_packetpath.cluster.policy.rules import look, named
from kubectl_packetpath.cluster.policy.verdict import Looked, Says, Side
from kubectl_packetpath.cluster.policy.world import World

MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A pod at one end of a flow, whose policies are asked."""

    world: World
    flow: PolicyFlow
    direction: Direction
    pod: Pod

    @property
    def own(self) -> Party:
        """The pod's own end."""
        return self.flow.destination if self.direction is Direction.INGRESS else self.flow.source

    @property
    def other(self) -> Party:
        """The other end, as it shows itself here."""
        if self.direction is Direction.EGRESS:
            return self.flow.destination
        return self.flow.seen_as or self.flow.source

    @property
    def asked(self) -> Asked:
        """The other end, as rules are held against it."""
        return Asked(world=self.world, party=self.other, home=self.pod.namespace)


def judge_namespaced(subject: Subject) -> Side:
    """What the NetworkPolicies of the pod's namespace say."""
    if reason := subject.world.cluster.policies.unread(subject.pod.namespace):
        return replace(_side(subject, Says.UNKNOWN, reason), unread=True)
    selecting = tuple(_selecting(subject))
    if not selecting:
        return _side(subject, Says.ALLOWED, f"no NetworkPolicy selects it for {subject.direction}")
    looked = tuple(_looked(subject, selecting))
    return _decided(subject, selecting, looked)


def _selecting(subject: Subject) -> Iterator[NetworkPolicy]:
    labels = subject.world.labels_of_pod(subject.pod)
    for policy in subject.world.policies_in(subject.pod.namespace):
        if subject.direction in policy.directions and policy.selector.holds(labels) is not False:
            yield policy


def _looked(subject: Subject, selecting: tuple[NetworkPolicy, ...]) -> Iterator[Looked]:
    for policy in selecting:
        for number, rule in enumerate(policy.rules(subject.direction), 1):
            yield look(rule, named(policy.name, number, rule), subject.asked, subject.flow)


def _decided(subject: Subject, selecting: tuple[NetworkPolicy, ...], looked: tuple[Looked, ...]) -> Side:
    labels = subject.world.labels_of_pod(subject.pod)
    sure = any(policy.selector.holds(labels) for policy in selecting)
    names = tuple(policy.name for policy in selecting)
    told = _listed(names)
    yes = next((each for each in looked if each.holds), None)
    perhaps = next((each for each in looked if each.holds is None), None)
    if yes is not None:
        side = _side(subject, Says.ALLOWED, f"allowed by {yes.rule}: {yes.why}")
    elif not sure:
        side = _side(subject, Says.UNKNOWN, f"whether {told} selects it cannot be said")
    elif perhaps is not None:
        side = _side(subject, Says.UNKNOWN, f"{perhaps.rule} may allow it: {perhaps.why}")
    elif subject.flow.protocol not in JUDGED:
        undefined = f"{told} isolates it, and policies do not define what holds for {subject.flow.protocol}"
        side = _side(subject, Says.UNKNOWN, undefined)
    else:
        side = _side(subject, Says.DENIED, f"no rule of {told} admits {_from_or_to(subject)}")
    return replace(
        side,
        by=yes.rule if yes is not None else None,
        isolated=sure,
        policies=names,
        looked=looked,
    )


def _listed(names: tuple[PolicyName, ...]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(map(str, names[:MOST_NAMED])) + more


def _from_or_to(subject: Subject) -> str:
    word = "from" if subject.direction is Direction.INGRESS else "to"
    return f"{subject.flow.port}/{subject.flow.protocol} {word} {subject.other}"


def _side(subject: Subject, says: Says, reason: str) -> Side:
    return Side(direction=subject.direction, pod=subject.pod.full_name, says=says, reason=reason)
