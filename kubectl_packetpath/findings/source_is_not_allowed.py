"""The client is in none of the Service's loadBalancerSourceRanges.

The check is made with the source that the node sees: behind a NAT or a proxying load balancer that is not the client's
own. In newer versions clients inside of the cluster are checked as well.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/service/#aws-nlb-support (spec.loadBalancerSourceRanges)
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import api, is_translated, losses, service_of
from kubectl_packetpath.trace import Verdict

PROBLEM = Problem(
    code="PP110",
    id="source-is-not-allowed",
    title="The client is in none of the Service's loadBalancerSourceRanges.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """Dropped before it was translated, from a source outside of all ranges."""
    service = service_of(answer, way)
    if service is None or not service.source_ranges or way.question.way != "LoadBalancer":
        return
    for loss in losses(way):
        source = loss.path.packet.source
        if loss.ending.verdict not in {Verdict.DROPPED, Verdict.REJECTED} or is_translated(way, loss.path):
            continue
        ranges = [each for each in service.source_ranges if each.version == source.version]
        if any(source in each for each in ranges):
            continue
        told = ", ".join(map(str, service.source_ranges))
        yield PROBLEM.found(
            service.full_name,
            f"the node sees {source}, and only {told} may connect",
            **loss.where,
            evidence=(api(f"Service {service.full_name}", f"loadBalancerSourceRanges {told}"), *loss.facts),
            remedy=(f"kubectl -n {service.namespace} edit service {service.name}",),
        )


CHECK = PROBLEM.check(look)
