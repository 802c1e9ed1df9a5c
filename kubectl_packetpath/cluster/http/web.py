"""All objects that say where an HTTP request goes, as far as they could be read.

A kind that the cluster does not have, one that may not be read and one that was not asked for are told apart.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kubectl_packetpath.cluster.http.gateway.model import Gateway, GatewayClass, Grant, Route
from kubectl_packetpath.cluster.http.model import Ingress, IngressClass
from kubectl_packetpath.snapshot.absent import Absent, Section, Why

NOT_ASKED = Absent(why=Why.NOT_ASKED)
ROUTE_KINDS = {
    "httproutes": "HTTPRoute",
    "grpcroutes": "GRPCRoute",
    "tlsroutes": "TLSRoute",
    "tcproutes": "TCPRoute",
    "udproutes": "UDPRoute",
}
KINDS = ("ingresses", "ingressclasses", "gatewayclasses", "gateways", *ROUTE_KINDS, "referencegrants")


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """Ingresses, Gateways, routes, and what belongs to them."""

    ingresses: Section[Ingress] = NOT_ASKED
    classes: Section[IngressClass] = NOT_ASKED
    gateway_classes: Section[GatewayClass] = NOT_ASKED
    gateways: Section[Gateway] = NOT_ASKED
    routes: tuple[Route, ...] = ()
    """Of all kinds that could be read."""
    grants: Section[Grant] = NOT_ASKED
    absent: tuple[tuple[str, Absent], ...] = field(default=())
    """Kinds that are not here, and why."""

    def refused(self, kinds: Iterable[str] = KINDS) -> Iterator[str]:
        """One sentence for each kind that there may be and that could not be read."""
        for kind, why in self.absent:
            if kind in kinds and why.why not in {Why.NOT_LOADED, Why.NOT_ASKED}:
                yield f"{kind} could not be read: {why.detail or why.why}"

    @property
    def was_read(self) -> bool:
        """Whether anything of it was asked for."""
        return not (isinstance(self.ingresses, Absent) and isinstance(self.gateways, Absent))


NO_WEB = Web()
