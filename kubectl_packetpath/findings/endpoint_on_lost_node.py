"""Connections still go to an endpoint on a node that is not ready.

The cluster takes some minutes before it gives up the pods of a node that has fallen silent; until then, or for ever
where nothing evicts them, they stay endpoints and a share of all connections is lost.

Kubernetes: https://kubernetes.io/docs/concepts/architecture/nodes/#condition
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem, Severity
from kubectl_packetpath.findings.sight import api

PROBLEM = Problem(
    code="PP112",
    id="endpoint-on-lost-node",
    title="Connections still go to an endpoint on a node that is not ready.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """A path to a pod whose node is not ready, and that does not arrive."""
    for number, path in enumerate(way.trace.paths):
        pod = answer.cluster.pod_with(path.packet.innermost.destination)
        node = answer.cluster.node(pod.node) if pod is not None else None
        family = way.family_of(path)
        if pod is None or node is None or node.ready or path.weight == 0 or family == "arrived":
            continue
        yield PROBLEM.found(
            pod.full_name,
            f"{pod.full_name} is an endpoint on {node.name}, which is not ready",
            severity=Severity.PROBLEM if family == "lost" else Severity.SUSPICION,
            node=node.name,
            paths=(number,),
            evidence=(api(f"Node {node.name}", "Ready is not True"),),
            remedy=(
                f"kubectl describe node {node.name}",
                f"kubectl -n {pod.namespace} delete pod {pod.name} --force",
            ),
        )


CHECK = PROBLEM.check(look)
