"""The verdict of the API's policies for a flow: Admin tier, NetworkPolicies, Baseline tier, at both ends.

Two exceptions come before all NetworkPolicies: a pod cannot be kept from itself, and the node on which it runs may
always talk with it. What the API leaves to the implementation is judged as most of them do it, and said so.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/network-policies/
Kubernetes: KEP-2091 (tiers)
"""

from collections.abc import Iterator
from dataclasses import replace

from kubectl_packetpath.cluster.model import Cluster, Pod
from kubectl_packetpath.cluster.policy.flow import Party, PolicyFlow
from kubectl_packetpath.cluster.policy.namespaced import Subject, judge_namespaced
from kubectl_packetpath.cluster.policy.objects import Action, Direction, Tier
from kubectl_packetpath.cluster.policy.tiers import TierSays, judge_tier
from kubectl_packetpath.cluster.policy.verdict import Looked, PolicyVerdict, Says, Side
from kubectl_packetpath.cluster.policy.world import World


def decide(flow: PolicyFlow, cluster: Cluster | World) -> PolicyVerdict:
    """What the policies at both ends say; for many flows the world is made once."""
    world = cluster if isinstance(cluster, World) else World.of(cluster)
    return PolicyVerdict(
        egress=_end(flow, world, Direction.EGRESS, flow.source),
        ingress=_end(flow, world, Direction.INGRESS, flow.destination),
    )


def _end(flow: PolicyFlow, world: World, direction: Direction, own: Party) -> Side:
    pod = own.network_pod
    if pod is None:
        return _without_pod(world, direction, own)
    subject = Subject(world=world, flow=flow, direction=direction, pod=pod)
    if _is_itself(subject):
        return _plain(subject, Says.ALLOWED, "a pod cannot be kept from itself")
    side = _through_tiers(subject)
    return replace(side, assumed=(*side.assumed, *_assumed(subject, side)))


def _without_pod(world: World, direction: Direction, own: Party) -> Side:
    policies = world.cluster.policies
    if own.hidden and (policies.namespaced or policies.tiered):
        reason = f"which pod has {own} is not known, and so not which policies it has"
        return Side(direction=direction, pod="", says=Says.UNKNOWN, reason=reason)
    reason = f"{own} is no pod, and no policy of a pod applies"
    assumed: tuple[str, ...] = ()
    if own.pod is not None:
        reason = f"{own} uses the network of its node, and policies do not apply to it"
        assumed = tuple(_undefined_for_host(world, direction, own.pod))
    return Side(direction=direction, pod="", says=Says.ALLOWED, reason=reason, assumed=assumed)


def _undefined_for_host(world: World, direction: Direction, pod: Pod) -> list[str]:
    """NetworkPolicies that select a hostNetwork pod: an implementation may ignore or enforce them."""
    labels = world.labels_of_pod(pod)
    return [
        f"{policy.name} selects {pod.full_name}, but what holds for a hostNetwork pod is implementation-defined"
        for policy in world.policies_in(pod.namespace)
        if direction in policy.directions and policy.selector.holds(labels)
    ]


def _is_itself(subject: Subject) -> bool:
    flow = subject.flow
    ends = (flow.source, flow.destination)
    return all(
        end.address in subject.pod.addresses
        if end.network_pod is None
        else end.network_pod.full_name == subject.pod.full_name
        for end in ends
    )


def _through_tiers(subject: Subject) -> Side:
    if subject.world.cluster.policies.unread_tiers:
        side = _plain(subject, Says.UNKNOWN, subject.world.cluster.policies.unread_tiers)
        return replace(side, unread=True)
    admin = judge_tier(Tier.ADMIN, subject)
    if (decided := _by_tier(admin, subject)) is not None:
        return decided
    side = _own_node(subject) or judge_namespaced(subject)
    if side.says is Says.ALLOWED and not side.isolated and not _is_own_node(subject):
        side = _baseline(side, subject)
    side = replace(side, policies=(*admin.policies, *side.policies), looked=(*admin.looked, *side.looked))
    return _unless_tier_differs(side, admin)


def _by_tier(tier: TierSays, subject: Subject) -> Side | None:
    """The side, where a tier is sure."""
    actions = tier.actions
    if len(actions) != 1 or actions == {Action.PASS}:
        return None
    first = tier.outcomes[0]
    word = "allowed" if first.rule.action is Action.ALLOW else "denied"
    says = Says.ALLOWED if first.rule.action is Action.ALLOW else Says.DENIED
    side = _plain(subject, says, f"{word} by {first.rule}: {first.why}")
    return replace(side, by=first.rule, policies=tier.policies, looked=tier.looked)


def _unless_tier_differs(side: Side, tier: TierSays) -> Side:
    """A tier that may decide otherwise than what comes after it makes it unknown."""
    wanted = {Action.PASS, Action.ALLOW if side.says is Says.ALLOWED else Action.DENY}
    if tier.actions <= wanted:
        return side
    other: Looked = next(each for each in tier.outcomes if each.rule.action not in wanted)
    reason = f"whether {other.rule} ({other.rule.action}) decides cannot be said: {other.why}"
    return replace(side, says=Says.UNKNOWN, by=None, reason=reason)


def _baseline(side: Side, subject: Subject) -> Side:
    baseline = judge_tier(Tier.BASELINE, subject)
    decided = _by_tier(baseline, subject)
    if decided is not None:
        return decided
    side = replace(side, policies=baseline.policies, looked=baseline.looked)
    return _unless_tier_differs(side, baseline)


def _is_own_node(subject: Subject) -> bool:
    return subject.other.is_node and subject.other.node == subject.pod.node


def _own_node(subject: Subject) -> Side | None:
    if not _is_own_node(subject):
        return None
    reason = f"traffic between a pod and its own node {subject.pod.node} is always allowed"
    return _plain(subject, Says.ALLOWED, reason)


def _assumed(subject: Subject, side: Side) -> Iterator[str]:
    """What the API does not define, where it could matter: a policy selects the pod."""
    if not side.policies:
        return
    other = subject.other
    if other.really:
        yield (
            f"judged by the address {other.address}, with which {other.really} arrives; whether policies see "
            "that or the one before is implementation-defined"
        )
    if other.pod is not None and other.pod.host_network:
        yield f"{other} is taken for its node, as most implementations do"
    if subject.direction is Direction.EGRESS and subject.flow.asked not in {None, other.address}:
        yield from _of_service(subject)


def _of_service(subject: Subject) -> Iterator[str]:
    """An ipBlock with a Service's address in it: most implementations never see that address."""
    asked = subject.flow.asked
    blocks = (
        (policy.name, peer.block)
        for policy in subject.world.policies_in(subject.pod.namespace)
        for rule in policy.egress
        for peer in rule.peers
        if peer.block is not None
    )
    for name, block in blocks:
        if block.network is not None and asked in block.network:
            yield (
                f"ipBlock {block.written} of {name} holds the Service's address {asked}; judged by the "
                "endpoint's, and whether policies see the one or the other is implementation-defined"
            )


def _plain(subject: Subject, says: Says, reason: str) -> Side:
    return Side(direction=subject.direction, pod=subject.pod.full_name, says=says, reason=reason)
