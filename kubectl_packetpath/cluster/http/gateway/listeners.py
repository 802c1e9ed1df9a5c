"""Which listener of a Gateway takes a connection.

By port and protocol, then the nearest host: that of the request, or for TLS the server name of the handshake.

Kubernetes: https://gateway-api.sigs.k8s.io/reference/spec/#listener
"""

from dataclasses import dataclass

from kubectl_packetpath.cluster.http.gateway.model import Gateway, Listener
from kubectl_packetpath.cluster.http.hosts import covers_any_labels, nearness
from kubectl_packetpath.cluster.http.request import HttpRequest

PLAIN, TLS = ("HTTP",), ("HTTPS", "TLS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The listeners that may take a request, nearest first; or why there is none."""

    listeners: tuple[Listener, ...] = ()
    why_not: str = ""
    status: int | None = None
    """What is answered where a connection was made, and no listener is for its host."""


def taking(gateway: Gateway, request: HttpRequest) -> Taken:
    """The listeners for a request."""
    at_port = [each for each in gateway.listeners if each.port == request.port]
    if not at_port:
        ports = ", ".join(dict.fromkeys(f"{each.port}/{each.protocol}" for each in gateway.listeners))
        return Taken(why_not=f"{gateway.reference} has no listener on port {request.port} (it has: {ports})")
    wanted = TLS if request.is_tls else PLAIN
    speaking = [each for each in at_port if each.protocol in wanted]
    if not speaking:
        spoken = ", ".join(dict.fromkeys(each.protocol for each in at_port))
        said = "TLS" if request.is_tls else "plain HTTP"
        return Taken(why_not=f"port {request.port} of {gateway.reference} speaks {spoken}, not {said}")
    return _by_name(speaking, request)


def _by_name(speaking: list[Listener], request: HttpRequest) -> Taken:
    name = request.sni if request.is_tls else request.host
    covering = [each for each in speaking if covers_any_labels(each.hostname, name)]
    covering.sort(key=lambda each: nearness(each.hostname), reverse=True)
    if not covering:
        named = ", ".join(each.title for each in speaking)
        why = f"no listener is for {name or 'a request without name'} ({named})"
        return Taken(why_not=why, status=None if request.is_tls else 404)
    first = covering[0]
    if not request.is_tls or first.protocol == "TLS" or covers_any_labels(first.hostname, request.host):
        return Taken(listeners=tuple(covering))
    others = [each for each in speaking if covers_any_labels(each.hostname, request.host)]
    why = (
        f"the handshake asked for {name} and came to {first.title}, which is not for the host {request.host}"
    )
    return Taken(why_not=why, status=421 if others else 404)
