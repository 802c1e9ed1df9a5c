"""Another pod than the API says has the address.

Two pods have the same address: the address management lost its record of the first (a node that was restored, a state
folder that was removed), or somebody gave an address by hand. Whoever answers first gets the packets.

Kubernetes: https://kubernetes.io/docs/concepts/cluster-administration/networking/ (every pod has an address of its own)
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem, Severity
from kubectl_packetpath.findings.sight import api
from kubectl_packetpath.trace import Fact, Step, StepKind, Verdict

PROBLEM = Problem(
    code="PP312",
    id="pod-address-is-taken",
    title="Another pod than the API says has the address.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """A path that ends in the namespace of a pod whose address, by the API, is another pod's."""
    for number, path in enumerate(way.trace.paths):
        hop = path.hops[-1]
        taker, owner = hop.namespace, answer.cluster.pod_with(path.packet.innermost.destination)
        space, slash, name = taker.partition("/")
        known = answer.cluster.pod(space, name) if slash else None
        if path.weight == 0 or known is None or known.host_network or owner is None or owner == known:
            continue
        address = path.packet.innermost.destination
        if path.ending.verdict not in {Verdict.DELIVERED, Verdict.REFUSED} or address in known.addresses:
            continue
        yield PROBLEM.found(
            owner.full_name,
            f"{address} is the pod {owner.full_name} by the API, and {taker} on {hop.node} takes what is sent there",
            severity=Severity.PROBLEM if path.weight is not None else Severity.SUSPICION,
            node=hop.node,
            namespace=taker,
            paths=(number,),
            evidence=(
                *_neighbours(path.hops[-2].steps if len(path.hops) > 1 else ()),
                api(f"pod {owner.full_name}", str(address)),
            ),
            remedy=(
                f"kubectl get pods -A -o wide | grep -w {address}",
                f"kubectl -n {space} delete pod {name}",
            ),
        )


def _neighbours(steps: tuple[Step, ...]) -> Iterator[Fact]:
    """How the node came to send it there."""
    for step in steps:
        if step.kind is StepKind.RESOLVED:
            yield from step.because


CHECK = PROBLEM.check(look)
