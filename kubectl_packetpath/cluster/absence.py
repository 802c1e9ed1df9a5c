"""Why a Service has nobody behind it, by the word of the API.

Kubernetes: pkg/controller/endpointslice: a pod becomes an endpoint by its labels, its readiness and its port's name
"""

from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum

from kubectl_packetpath.cluster.model import Cluster, Endpoint, Pod, Service, ServicePort
from kubectl_packetpath.cluster.published import expected_endpoints

OVER = {"Succeeded", "Failed"}
ALIKE = 0.7
"""How much of two values has to be the same before one is taken for a slip of the pen."""


class Why(Enum):
    """The first thing that keeps pods from being endpoints."""

    NO_SELECTOR = 1
    """Somebody else has to write its endpoints, and nobody did."""
    NO_POD = 2
    """No pod has its labels."""
    NOT_READY = 3
    """None of its pods is ready."""
    NO_PORT = 4
    """No container has a port of the name that it sends to."""
    NOT_LISTED = 5
    """Pods are ready, and no EndpointSlice lists them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Why nobody is there."""

    why: Why
    pods: tuple[Pod, ...] = ()
    """The pods that its labels select."""


def absence_of(cluster: Cluster, service: Service, port: ServicePort) -> Absence | None:
    """Why no endpoint takes what comes to this port; None: there is one, of whichever IP version."""
    if any(True for version in (4, 6) for _ in expected_endpoints(cluster, service, port, version)):
        return None
    if any(each.serving and each.terminating for each in endpoints_of(cluster, service)):
        return None
    pods = selected(cluster, service)
    if not service.selector:
        return Absence(why=Why.NO_SELECTOR)
    if not pods:
        return Absence(why=Why.NO_POD)
    ready = tuple(pod for pod in pods if pod.ready or service.publish_not_ready)
    if not ready:
        return Absence(why=Why.NOT_READY, pods=pods)
    name = port.target_port
    if name and not name.isdigit() and not any(name == each.name for pod in ready for each in pod.ports):
        return Absence(why=Why.NO_PORT, pods=ready)
    return Absence(why=Why.NOT_LISTED, pods=ready)


def endpoints_of(cluster: Cluster, service: Service) -> tuple[Endpoint, ...]:
    """All endpoints of a Service, whatever their state."""
    return tuple(each for part in cluster.slices_of(service) for each in part.endpoints)


def selected(cluster: Cluster, service: Service) -> tuple[Pod, ...]:
    """The pods with the labels that a Service selects."""
    if not service.selector:
        return ()
    wanted = set(service.selector)
    return tuple(
        pod
        for pod in cluster.pods
        if pod.namespace == service.namespace and pod.phase not in OVER and wanted <= set(pod.labels)
    )


def nearest(cluster: Cluster, service: Service) -> Pod | None:
    """The pod that comes closest to what a Service selects: with most of its labels, or values spelled much like them."""

    def rank(pod: Pod) -> float:
        own = dict(pod.labels)
        return sum(_likeness(value, own.get(key, "")) for key, value in service.selector)

    found = [pod for pod in cluster.pods if pod.namespace == service.namespace and pod.phase not in OVER]
    best = max(found, key=rank, default=None)
    return best if best is not None and rank(best) > 0 else None


def _likeness(wanted: str, value: str) -> float:
    ratio = SequenceMatcher(a=wanted, b=value).ratio()
    return ratio if ratio >= ALIKE else 0.0
