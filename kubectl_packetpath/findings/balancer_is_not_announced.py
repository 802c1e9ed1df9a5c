"""A load balancer's address is announced by no node.

MetalLB gave the Service an address of a pool, but no L2Advertisement or BGPAdvertisement covers the pool, no speaker runs, or
none of the nodes that may announce it has an endpoint, which it needs under externalTrafficPolicy Local. Nobody answers for
the address, and clients see a timeout or "no route to host", while the Service looks healthy from inside.

Kubernetes: https://metallb.io/configuration/
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import api, service_of

PROBLEM = Problem(
    code="PP113",
    id="balancer-is-not-announced",
    title="A load balancer's address is announced by no node.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """A way whose address leads nowhere, by the word of its announcers."""
    service, question = service_of(answer, way), way.question
    if service is None or not question.nowhere:
        return
    yield PROBLEM.found(
        service.full_name,
        f"{question.destination}: {question.nowhere}",
        paths=(0,),
        evidence=(api(f"Service {service.full_name}", f"status.loadBalancer: {question.destination}"),),
        remedy=(
            f"kubectl -n {service.namespace} describe service {service.name}",
            "kubectl get l2advertisements,bgpadvertisements,bgppeers -A",
            "kubectl get servicel2statuses,servicebgpstatuses -A",
        ),
    )


CHECK = PROBLEM.check(look)
