"""Ways that end because nobody stands behind a Service's port, and why that is so: shared by the checks for each reason."""

from collections.abc import Iterator
from dataclasses import dataclass

from kubectl_packetpath.cluster.absence import Absence, Why, absence_of
from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.model import Service, ServicePort
from kubectl_packetpath.findings.base import LookAtAll
from kubectl_packetpath.findings.sight import losses, port_of, service_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """A Service's port with nobody behind it."""

    service: Service
    port: ServicePort
    absence: Absence
    paths: tuple[int, ...] = ()

    @property
    def slices(self) -> str:
        """The command that shows its endpoints."""
        return (
            f"kubectl -n {self.service.namespace} get endpointslices "
            f"-l kubernetes.io/service-name={self.service.name} -o yaml"
        )


def empty(answer: Answer, way: Answered, why: Why) -> Iterator[Empty]:
    """This way, where it is lost for this reason."""
    service = service_of(answer, way)
    port = port_of(service, way) if service is not None else None
    if service is None or port is None:
        return
    absence = absence_of(answer.cluster, service, port)
    lost = tuple(loss.number for loss in losses(way))
    if absence is not None and absence.why is why and lost:
        yield Empty(service=service, port=port, absence=absence, paths=lost)


def empty_headless(answer: Answer, why: Why) -> Iterator[Empty]:
    """A headless Service has no way in at all while nobody is behind it."""
    service = answer.service
    if service is None or not service.headless or service.type == "ExternalName":
        return
    asked = {way.question.subject for way in answer.ways}
    for port in service.ports:
        absence = absence_of(answer.cluster, service, port)
        named = f"{service.full_name}:{port.name or port.port}"
        if absence is not None and absence.why is why and named not in asked:
            yield Empty(service=service, port=port, absence=absence)


__all__ = ["Empty", "LookAtAll", "empty", "empty_headless"]
