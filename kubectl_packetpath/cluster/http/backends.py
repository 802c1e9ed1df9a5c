"""Whether a backend has a Service behind it that offers the port, and whether anybody is ready there.

Kubernetes: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/#IngressBackend
"""

from collections.abc import Iterable
from dataclasses import dataclass

from kubectl_packetpath.cluster.http.decision import Backend
from kubectl_packetpath.cluster.model import Cluster, Service, ServicePort


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why requests to a backend fail."""

    text: str
    status: int | None = None
    """What proxies answer; None: not told by any specification."""
    missing: bool = False
    """The object or the port does not exist, so a controller may leave the rule out."""
    remedy: str = ""

    def __str__(self) -> str:
        """The sentence."""
        return self.text


def service_of_backend(cluster: Cluster, backend: Backend) -> Service | None:
    """The Service that a backend names."""
    if backend.target.kind != "Service":
        return None
    return cluster.service(backend.target.namespace, backend.target.name)


def port_of_backend(service: Service, port: str) -> ServicePort | None:
    """The port of a Service that a backend names, by number or name."""
    return next((p for p in service.ports if port in {str(p.port), p.name}), None)


def problem_of(cluster: Cluster, backend: Backend) -> Problem | None:
    """What is wrong with a backend by the word of the API; None: nothing."""
    target = backend.target
    if target.kind != "Service":
        return None
    service = cluster.service(target.namespace, target.name)
    if service is None:
        return Problem(
            text=f"there is no {target}",
            status=503,
            missing=True,
            remedy=f"kubectl -n {target.namespace} get service",
        )
    port = port_of_backend(service, backend.port)
    if port is None:
        offered = ", ".join(p.title for p in service.ports) or "none"
        return Problem(
            text=f"{target} has no port {backend.port} (it offers: {offered})",
            status=503,
            missing=True,
            remedy=f"kubectl -n {target.namespace} describe service {target.name}",
        )
    if service.type == "ExternalName":
        return None
    if not any(_ready_ports(cluster, service, port)):
        return Problem(
            text=f"no endpoint of {target} is ready",
            status=503,
            remedy=f"kubectl -n {target.namespace} get endpointslices "
            f"-l kubernetes.io/service-name={target.name}",
        )
    return None


def _ready_ports(cluster: Cluster, service: Service, port: ServicePort) -> Iterable[bool]:
    for part in cluster.slices_of(service):
        offered = any((p.name, p.protocol) == (port.name, port.protocol) for p in part.ports)
        yield offered and any(each.ready for each in part.endpoints)
