"""Policies deny a connection, and their enforcer stops it, as it should.

It is lost on purpose, or by a policy that says more than was meant: a default deny without a rule for this client, a
selector with a typing error, a port by another name. An allowing rule in any policy that selects the pod is enough.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/network-policies/#the-two-sorts-of-pod-isolation
"""

import re
from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.policy.judged import Judged
from kubectl_packetpath.cluster.policy.objects import PolicyName
from kubectl_packetpath.cluster.policy.verdict import Says, Side
from kubectl_packetpath.dialects.cnis import calico
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import api
from kubectl_packetpath.trace import Fact, Path

PROBLEM = Problem(
    code="PP504",
    id="policies-deny",
    title="Policies deny this connection, and a rule of their enforcer stops it.",
)
CHAIN = re.compile(r"[^/]+/(?P<chain>[^/]+)/\w+$")
JUMP = re.compile(r"-[jg] (?P<chain>\S+)")


def look(_answer: Answer, way: Answered) -> Iterator[Finding]:
    """Denied, and dropped or rejected in an enforcer's chain."""
    for number, (path, judged) in enumerate(zip(way.trace.paths, way.policies, strict=False)):
        if judged is None or judged.verdict.says is not Says.DENIED or not judged.stopped_by:
            continue
        hop, facts = path.hops[-1], path.hops[-1].steps[-1].because
        side = _side(judged, facts)
        tried = tuple(_tried(path, side))
        yield PROBLEM.found(
            side.pod,
            f"{side.reason}; a rule of {judged.stopped_by} stops it{_chains(tried)}",
            node=hop.node,
            namespace=hop.namespace,
            remedy=tuple(dict.fromkeys(map(_described, side.policies))),
            evidence=(
                *(api(_named(each)) for each in side.policies),
                *(fact for _, _, fact in tried),
                *facts,
            ),
            paths=(number,),
        )


def _side(judged: Judged, facts: tuple[Fact, ...]) -> Side:
    """The end whose policies stop it: that which the chain looks at, where the chain's name tells."""
    found = (CHAIN.search(fact.key) for fact in facts)
    directions = {calico.guarded_direction(each["chain"]) for each in found if each is not None}
    denying = [side for side in judged.verdict.sides if side.says is Says.DENIED]
    return next((side for side in denying if side.direction.value in directions), judged.verdict.deciding)


def _tried(path: Path, side: Side) -> Iterator[tuple[PolicyName, str, Fact]]:
    """The policies whose own chains the packet went through, and came back from."""
    chains = {
        calico.policy_chain(each.namespace, each.name, side.direction.value): each for each in side.policies
    }
    for fact in (fact for step in path.hops[-1].steps for fact in step.because):
        found = JUMP.search(fact.text)
        if found is not None and found["chain"] in chains:
            yield chains.pop(found["chain"]), found["chain"], fact


def _chains(tried: tuple[tuple[PolicyName, str, Fact], ...]) -> str:
    """`; cali-pi-_… is NetworkPolicy shop/web`."""
    told = " and ".join(f"{chain} is {_named(policy)}" for policy, chain, _ in tried)
    return f"; {told}" if told else ""


def _named(policy: PolicyName) -> str:
    return f"{policy.kind} {policy}" if policy.namespace else str(policy)


def _described(policy: PolicyName) -> str:
    namespace = f" -n {policy.namespace}" if policy.namespace else ""
    return f"kubectl{namespace} describe {policy.kind.lower()} {policy.name}"


CHECK = PROBLEM.check(look)
