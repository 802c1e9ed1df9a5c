"""The Service's pods are not ready.

Only pods that are ready get new connections (unless publishNotReadyAddresses says otherwise): their readiness probes fail,
or they have not started.

Kubernetes: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-readiness-gate
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.absence import Why
from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.absences import Empty, empty, empty_headless
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import api

PROBLEM = Problem(
    code="PP102",
    id="pods-are-not-ready",
    title="The Service's pods are not ready.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """A way that is lost, and no pod that is selected is ready."""
    yield from (_told(answer, each) for each in empty(answer, way, Why.NOT_READY))


def look_at_all(answer: Answer) -> Iterator[Finding]:
    """A headless Service, to which no packet is sent."""
    yield from (_told(answer, each) for each in empty_headless(answer, Why.NOT_READY))


MOST_NAMED = 3


def _told(_answer: Answer, each: Empty) -> Finding:
    service, pods = each.service, each.absence.pods
    named = ", ".join(pod.name for pod in pods[:MOST_NAMED])
    more = f" and {len(pods) - MOST_NAMED} more" if len(pods) > MOST_NAMED else ""
    first = pods[0]
    count = "its only pod is" if len(pods) == 1 else f"none of its {len(pods)} pods is"
    return PROBLEM.found(
        service.full_name,
        f"{count} ready: {named}{more}",
        paths=each.paths,
        evidence=tuple(
            api(f"Pod {pod.full_name}", f"phase {pod.phase}, not ready") for pod in pods[:MOST_NAMED]
        ),
        remedy=(
            f"kubectl -n {service.namespace} describe pod {first.name}",
            f"kubectl -n {service.namespace} logs {first.name}",
        ),
    )


CHECK = PROBLEM.check(look, look_at_all)
