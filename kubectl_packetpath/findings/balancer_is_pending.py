"""The Service waits for a load balancer that nobody provides.

Its type is LoadBalancer and its status has no address: no cloud controller, MetalLB or the like serves it, or its pool of
addresses is empty.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import api

PROBLEM = Problem(
    code="PP108",
    id="balancer-is-pending",
    title="The Service waits for a load balancer that nobody provides.",
)


def look_at_all(answer: Answer) -> Iterator[Finding]:
    """A Service of type LoadBalancer without any address in its status."""
    service = answer.service
    if service is None or service.type != "LoadBalancer" or service.balancer:
        return
    yield PROBLEM.found(
        service.full_name,
        f"the status of {service.full_name} has no address yet",
        evidence=(api(f"Service {service.full_name}", "type LoadBalancer, status.loadBalancer is empty"),),
        remedy=(f"kubectl -n {service.namespace} describe service {service.name}",),
    )


CHECK = PROBLEM.check(look_at_all=look_at_all)
