"""The Service's selector matches no pod.

Labels were renamed on one side, or the pods are in another namespace, or were never made. A proxy then refuses every
connection.

Kubernetes: https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#does-the-service-have-any-endpointslices
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.absence import Why, nearest
from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.absences import Empty, empty, empty_headless
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import api

PROBLEM = Problem(
    code="PP101",
    id="selector-matches-no-pod",
    title="The Service's selector matches no pod.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """A way that is lost, and no pod of the namespace with all the labels of the selector."""
    yield from (_told(answer, each) for each in empty(answer, way, Why.NO_POD))


def look_at_all(answer: Answer) -> Iterator[Finding]:
    """A headless Service, to which no packet is sent."""
    yield from (_told(answer, each) for each in empty_headless(answer, Why.NO_POD))


def _told(answer: Answer, each: Empty) -> Finding:
    service = each.service
    selector = ",".join(f"{key}={value}" for key, value in service.selector)
    near = nearest(answer.cluster, service)
    hint = ""
    evidence = [api(f"Service {service.full_name}", f"selector {selector}")]
    if near is not None:
        keys = {key for key, _ in service.selector}
        labels = ",".join(f"{key}={value}" for key, value in near.labels if key in keys)
        hint = f"; nearest is {near.name} with {labels}"
        evidence.append(api(f"Pod {near.full_name}", f"labels {labels}"))
    return PROBLEM.found(
        service.full_name,
        f"no pod of {service.namespace} has {selector}{hint}",
        paths=each.paths,
        evidence=tuple(evidence),
        remedy=(
            f"kubectl -n {service.namespace} get pods --show-labels",
            f"kubectl -n {service.namespace} edit service {service.name}",
        ),
    )


CHECK = PROBLEM.check(look, look_at_all)
