"""A traffic policy keeps the connection on this node, and no endpoint is here.

With externalTrafficPolicy or internalTrafficPolicy Local a node sends to its own endpoints only, and drops what it cannot
serve: clients see a timeout through some nodes and an answer through others. A load balancer should leave such nodes out
by asking healthCheckNodePort.

Kubernetes: https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-policies
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.question import PROXIED
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import api, is_translated, losses, service_of
from kubectl_packetpath.trace import Verdict

PROBLEM = Problem(
    code="PP105",
    id="no-local-endpoint",
    title="A traffic policy keeps the connection on this node, and no endpoint is here.",
)
ENDS = {Verdict.NO_BACKEND, Verdict.DROPPED, Verdict.REJECTED}


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """Lost untranslated on the node where it came in, with endpoints elsewhere."""
    service, question = service_of(answer, way), way.question
    if service is None or question.way not in PROXIED or not question.expected:
        return
    field = "internalTrafficPolicy" if question.way == "ClusterIP" else "externalTrafficPolicy"
    policy = (
        service.internal_traffic_policy if question.way == "ClusterIP" else service.external_traffic_policy
    )
    if policy != "Local":
        return
    for loss in losses(way):
        nodes = sorted({each.node for each in question.expected})
        if loss.hop.node in nodes or loss.ending.verdict not in ENDS or is_translated(way, loss.path):
            continue
        change = f'{{"spec":{{"{field}":"Cluster"}}}}'
        yield PROBLEM.found(
            service.full_name,
            f"{field} is Local, and its {len(question.expected)} ready endpoints are on {', '.join(nodes)}, "
            f"none on {loss.hop.node}",
            **loss.where,
            evidence=(api(f"Service {service.full_name}", f"{field}: Local"), *loss.facts),
            remedy=(
                f"kubectl -n {service.namespace} get pods -o wide",
                f"kubectl -n {service.namespace} patch service {service.name} -p '{change}'",
            ),
        )


CHECK = PROBLEM.check(look)
