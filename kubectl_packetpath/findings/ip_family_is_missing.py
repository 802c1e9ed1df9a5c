"""The Service has an address of an IP version in which no endpoint has one.

The cluster or the Service is dual stack and its pods are not, so one of its ClusterIPs is dead.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/dual-stack/
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.published import expected_endpoints
from kubectl_packetpath.cluster.question import PROXIED
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import api, losses, port_of, service_of

PROBLEM = Problem(
    code="PP109",
    id="ip-family-is-missing",
    title="The Service has an address of an IP version in which no endpoint has one.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """Lost in one IP version, with endpoints in the other alone."""
    service, question = service_of(answer, way), way.question
    port = port_of(service, way) if service is not None else None
    if service is None or port is None or question.way not in PROXIED or question.expected:
        return
    version = question.destination.version
    others = tuple(expected_endpoints(answer.cluster, service, port, 10 - version))
    lost = tuple(loss.number for loss in losses(way))
    if not others or not lost:
        return
    yield PROBLEM.found(
        service.full_name,
        f"its {len(others)} ready endpoints have IPv{10 - version} addresses only, and this is IPv{version}",
        paths=lost,
        evidence=tuple(api(f"endpoint {each.pod or each.address}", str(each.address)) for each in others[:3]),
        remedy=(
            f"kubectl -n {service.namespace} get pods -o custom-columns=NAME:.metadata.name,IPS:.status.podIPs",
            f"kubectl -n {service.namespace} get service {service.name} -o jsonpath='{{.spec.ipFamilies}}'",
        ),
    )


CHECK = PROBLEM.check(look)
