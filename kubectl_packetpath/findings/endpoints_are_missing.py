"""No EndpointSlice lists an endpoint for the Service.

Without a selector somebody else has to write its EndpointSlices. With one, and with pods that are ready, the controller
of EndpointSlices is late, stopped, or cannot write.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.absence import Why
from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.absences import Empty, empty, empty_headless
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import api

PROBLEM = Problem(
    code="PP104",
    id="endpoints-are-missing",
    title="No EndpointSlice lists an endpoint for the Service.",
)
REASONS = (Why.NO_SELECTOR, Why.NOT_LISTED)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """A way that is lost, no selector or ready pods, and no EndpointSlice with a ready endpoint."""
    yield from (_told(each) for why in REASONS for each in empty(answer, way, why))


def look_at_all(answer: Answer) -> Iterator[Finding]:
    """A headless Service, to which no packet is sent."""
    yield from (_told(each) for why in REASONS for each in empty_headless(answer, why))


def _told(each: Empty) -> Finding:
    service, pods = each.service, each.absence.pods
    if each.absence.why is Why.NO_SELECTOR:
        message = "it has no selector, and no EndpointSlice with a ready endpoint was written for it"
        remedy: tuple[str, ...] = (each.slices,)
    else:
        message = (
            f"{len(pods)} of its pods are ready, and no EndpointSlice lists them for port {each.port.title}"
        )
        remedy = (each.slices, "kubectl -n kube-system logs -l component=kube-controller-manager --tail=50")
    return PROBLEM.found(
        service.full_name,
        message,
        paths=each.paths,
        evidence=tuple(api(f"Pod {pod.full_name}", f"ready, {pod.addresses}") for pod in pods[:3]),
        remedy=remedy,
    )


CHECK = PROBLEM.check(look, look_at_all)
