"""On which ports a load balancer that an Ingress makes listens, by its annotations.

Documented behaviour: kubernetes-sigs.github.io/aws-load-balancer-controller, guide/ingress/annotations
"""

import json

from kubectl_packetpath.cluster.http.controllers.base import Controller, Effect
from kubectl_packetpath.cluster.http.model import Ingress

USUAL = {False: {80: "HTTP"}, True: {443: "HTTPS"}}
"""Without and with a certificate."""


def listens_on(controller: Controller, ingress: Ingress) -> dict[int, str] | None:
    """Port numbers with what is spoken there; None where the annotation cannot be read."""
    written = (ingress.annotation(controller.ports) or "").strip()
    if not written:
        return USUAL[_has_certificate(controller, ingress)]
    try:
        return {int(port): str(kind) for each in json.loads(written) for kind, port in each.items()}
    except (ValueError, TypeError, AttributeError):
        return None


def _has_certificate(controller: Controller, ingress: Ingress) -> bool:
    names = [each.name for each in controller.annotations if each.effect is Effect.CERTIFICATE]
    return any(ingress.annotation(name) for name in names) or bool(ingress.tls)


def not_listening(controller: Controller, ports: dict[int, str], asked: int) -> str:
    """Why a connection to a port is refused."""
    there = ", ".join(f"{kind} {port}" for port, kind in sorted(ports.items())) or "no port"
    return f"the load balancer of {controller.product} listens on {there} here, not on port {asked}"


def is_redirected(ingress: Ingress, name: str) -> bool:
    """Whether an annotation names the port of HTTPS to which plain HTTP is redirected."""
    return bool(name) and (ingress.annotation(name) or "").strip().isdigit()
