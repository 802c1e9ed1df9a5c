"""The cluster's own policies: asked in order of their priority, and the first rule that matches decides.

The Admin tier comes before NetworkPolicies, which cannot overrule it. A Pass leaves the tier. The Baseline tier is
asked for pods that no NetworkPolicy isolates in that direction. Between policies of one priority the order is not
defined, so where they disagree nobody can say what happens.

Kubernetes: KEP-2091 (AdminNetworkPolicy, BaselineAdminNetworkPolicy),
https://network-policy-api.sigs.k8s.io/reference/spec/ (ClusterNetworkPolicy: "fail closed" for what is not known)
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from kubectl_packetpath.cluster.policy.certainty import Certainty, Match
from kubectl_packetpath.cluster.policy.flow import Party
from kubectl_packetpath.cluster.policy.namespaced import Subject
from kubectl_packetpath.cluster.policy.objects import Action, PolicyName, Rule, Tier, TieredPolicy
from kubectl_packetpath.cluster.policy.peers import Asked, match_peer
from kubectl_packetpath.cluster.policy.rules import look, named
from kubectl_packetpath.cluster.policy.verdict import Looked


@dataclass(frozen=True, slots=True, kw_only=True)
class TierSays:
    """What a tier may do with a flow: one answer where it is sure, several where it is not."""

    outcomes: tuple[Looked, ...] = ()
    """The rules that may decide."""
    may_pass_on: bool = True
    """Whether it may be that no rule decides, or one says Pass."""
    policies: tuple[PolicyName, ...] = ()
    looked: tuple[Looked, ...] = ()

    @property
    def actions(self) -> set[Action]:
        """What may happen; Pass where the next tier is asked."""
        found = {each.rule.action for each in self.outcomes}
        return found | {Action.PASS} if self.may_pass_on else found


def judge_tier(tier: Tier, subject: Subject) -> TierSays:
    """What one tier says of a flow at one end."""
    applying = [
        (policy, selects)
        for policy in sorted(subject.world.cluster.policies.tiered, key=lambda each: each.priority)
        if policy.tier is tier
        and policy.rules(subject.direction)
        and (selects := _selects(policy, subject)) is not False
    ]
    looked: list[Looked] = []
    outcomes: list[Looked] = []
    goes_on = True
    for _, group in groupby(applying, key=lambda pair: pair[0].priority):
        some_surely_decides = False
        for policy, selects in group:
            held = list(_first(policy, subject))
            looked += held
            found = [each for each in held if each.holds is not False]
            outcomes += found
            some_surely_decides |= bool(selects) and any(each.holds for each in found)
        if some_surely_decides:
            goes_on = False
            break
    return TierSays(
        outcomes=tuple(outcomes),
        may_pass_on=goes_on,
        policies=tuple(policy.name for policy, _ in applying),
        looked=tuple(looked),
    )


def _first(policy: TieredPolicy, subject: Subject) -> Iterator[Looked]:
    """Its rules up to the first that surely matches."""
    for number, rule in enumerate(policy.rules(subject.direction), 1):
        held = _closed(rule, policy, number, subject)
        yield held
        if held.holds:
            return


def _closed(rule: Rule, policy: TieredPolicy, number: int, subject: Subject) -> Looked:
    """A rule with a peer of a kind that is not known: an Allow loses that peer, any other denies all."""
    name = named(policy.name, number, rule)
    if rule.action is Action.ALLOW or all(peer.is_known for peer in rule.peers):
        return look(rule, name, subject.asked, subject.flow)
    told = "a peer is of a kind that is not known here, so the rule denies all"
    return Looked(rule=replace(name, action=Action.DENY), holds=True, peer=told, port="")


def _selects(policy: TieredPolicy, subject: Subject) -> Certainty:
    if not policy.subject.is_known:
        return False
    party = Party(address=subject.own.address, pod=subject.pod, node=subject.pod.node)
    found: Match = match_peer(
        policy.subject, Asked(world=subject.world, party=party, home=subject.pod.namespace)
    )
    return found.holds
