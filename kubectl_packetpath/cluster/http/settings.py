"""What annotations make of a rule: how the proxy reaches the backend, and what it changes on the way.

Documented behaviour of the controllers that are known; annotations of others say nothing here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kubectl_packetpath.cluster.http.controllers.base import Annotation, Controller, Effect, Reach
from kubectl_packetpath.cluster.http.model import Ingress
from kubectl_packetpath.cluster.model import Service

TRUE = {"true", "1", "yes", "on"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a controller handles the requests of one Ingress for one Service."""

    reach: Reach
    words: tuple[str, ...] = ()
    """What annotations change, for people."""
    passthrough: bool = False
    """TLS goes on to the backend."""
    backend_protocol: str = ""
    """What the proxy speaks to the backend; empty: plain HTTP."""
    certificate: str = ""
    """Which certificate is shown, where that is no Secret's."""


def settings_of(controller: Controller, ingress: Ingress | None, service: Service | None) -> Settings:
    """What the annotations of an Ingress and of its backend Service say."""
    found = list(_written(controller, ingress, service))
    reach = controller.reach
    for annotation, value in found:
        if annotation.effect is Effect.TO_CLUSTER_IP:
            reach = Reach.CLUSTER_IP
        if annotation.effect is Effect.TO_PODS_OR_NODES:
            reach = Reach.NODE_PORT if value == "instance" else Reach.ENDPOINTS
    protocols = [value for annotation, value in found if annotation.effect is Effect.BACKEND_PROTOCOL]
    certificates = [
        each.words.format(value=value) for each, value in found if each.effect is Effect.CERTIFICATE
    ]
    return Settings(
        reach=reach,
        certificate="; ".join(certificates),
        words=tuple(
            f"{annotation.words.format(value=value)} (annotation {annotation.name})"
            for annotation, value in found
        ),
        passthrough=any(annotation.effect is Effect.PASSTHROUGH for annotation, _ in found),
        backend_protocol=protocols[0] if protocols else "",
    )


def _written(
    controller: Controller, ingress: Ingress | None, service: Service | None
) -> Iterator[tuple[Annotation, str]]:
    of_ingress = dict(ingress.annotations) if ingress is not None else {}
    of_service = dict(service.annotations) if service is not None else {}
    for each in controller.annotations:
        value = (of_service if each.of_service else of_ingress).get(each.name, "").strip()
        if value and value not in each.unless:
            yield each, value


def is_true(ingress: Ingress, name: str) -> bool:
    """Whether an annotation says yes."""
    return bool(name) and (ingress.annotation(name) or "").strip().lower() in TRUE


def is_false(ingress: Ingress, name: str) -> bool:
    """Whether an annotation says no."""
    return bool(name) and (ingress.annotation(name) or "").strip().lower() == "false"
