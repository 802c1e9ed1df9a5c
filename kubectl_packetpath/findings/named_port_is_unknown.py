"""The Service sends to a port by a name that no container has.

A targetPort that is a name is looked up in each pod; a pod that declares no port of that name is no endpoint of it.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/service/#field-spec-ports
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.absence import Why
from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.absences import Empty, empty, empty_headless
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import api

PROBLEM = Problem(
    code="PP103",
    id="named-port-is-unknown",
    title="The Service sends to a port by a name that no container has.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """A way that is lost, and no ready pod declares a port of that name."""
    yield from (_told(answer, each) for each in empty(answer, way, Why.NO_PORT))


def look_at_all(answer: Answer) -> Iterator[Finding]:
    """A headless Service, to which no packet is sent."""
    yield from (_told(answer, each) for each in empty_headless(answer, Why.NO_PORT))


def _told(_answer: Answer, each: Empty) -> Finding:
    service, port, pod = each.service, each.port, each.absence.pods[0]
    declared = ", ".join(f"{own.name} ({own.port})" if own.name else str(own.port) for own in pod.ports)
    return PROBLEM.found(
        service.full_name,
        f"targetPort is {port.target_port}, and {pod.name} declares {declared or 'no ports'}",
        paths=each.paths,
        evidence=(
            api(f"Service {service.full_name}", f"port {port.title}, targetPort {port.target_port}"),
            api(f"Pod {pod.full_name}", f"ports {declared or 'none'}"),
        ),
        remedy=(f"kubectl -n {service.namespace} edit service {service.name}", each.slices),
    )


CHECK = PROBLEM.check(look, look_at_all)
