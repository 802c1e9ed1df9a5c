"""Load balancers of clouds: whose it is, where its packets come in, and what is certain of that.

Each provider has its own function in a file of this folder, which reads a Service and says what it finds.
"""

from collections.abc import Callable

from kubectl_packetpath.cluster.announcing import KNOWN_ANNOTATIONS
from kubectl_packetpath.cluster.clouds import aws, azure, google, others
from kubectl_packetpath.cluster.clouds.base import Arrival, Balancer, Reader, Statement
from kubectl_packetpath.cluster.model import Cluster, Service

Provider = Callable[[Reader], Balancer | None]
PROVIDERS: tuple[Provider, ...] = (
    aws.balancer,
    azure.balancer,
    google.balancer,
    others.digitalocean,
    others.hetzner,
    others.openstack,
)
ANNOTATIONS = (*aws.ANNOTATIONS, *azure.ANNOTATIONS, *google.ANNOTATIONS, *others.ANNOTATIONS)


def balancer_of(cluster: Cluster, service: Service) -> Balancer | None:
    """The cloud's load balancer in front of a Service; None where none is known."""
    found = None
    inside = any(name in KNOWN_ANNOTATIONS for name, _ in service.annotations)
    if service.type == "LoadBalancer" and not inside:
        told = (provider(Reader(cluster=cluster, service=service)) for provider in PROVIDERS)
        found = next((each for each in told if each is not None), None)
    return found or google.groups(Reader(cluster=cluster, service=service))


def doubt_outside(cluster: Cluster, service: Service) -> str:
    """Why a packet from outside may not come to a node with the balancer's address; empty: nothing speaks against it."""
    found = balancer_of(cluster, service)
    if found is None or found.arrival is Arrival.VIP:
        return found.doubt if found is not None else ""
    return found.doubt or f"no packet of the balancer's comes to a node with its own address: {found}"


__all__ = ["ANNOTATIONS", "Arrival", "Balancer", "Statement", "balancer_of", "doubt_outside"]
