"""Ingress and Gateway controllers: who they are, and how their proxies reach backends.

Known by the name in an IngressClass or GatewayClass. What stands here is documented behaviour of their default
configuration; how a proxy is really configured, only the proxy itself can tell.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/ingress-controllers/,
https://gateway-api.sigs.k8s.io/implementations/
"""

from dataclasses import dataclass, field
from enum import StrEnum

from kubectl_packetpath.cluster.http.gateway.world import GatewayManner
from kubectl_packetpath.cluster.http.manner import Manner


class Reach(StrEnum):
    """Where a proxy sends the packets for a backend Service."""

    ENDPOINTS = "straight to the endpoints, past the Service's address and its proxy"
    CLUSTER_IP = "to the Service's ClusterIP"
    NODE_PORT = "to a node port of the Service"
    ON_NODE = "from a proxy on the node where they come in, straight to the endpoints"
    UNKNOWN = "in a way that is not known here"


class Effect(StrEnum):
    """What an annotation changes."""

    TO_CLUSTER_IP = "cluster ip"
    TO_PODS_OR_NODES = "target type"
    REWRITE = "rewrite"
    PASSTHROUGH = "passthrough"
    BACKEND_PROTOCOL = "backend protocol"
    AFFINITY = "affinity"
    EXPRESSIONS = "expressions"
    CERTIFICATE = "certificate"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """An annotation that changes what a controller does."""

    name: str
    effect: Effect
    words: str
    """With `{value}` for what is written."""
    of_service: bool = False
    """It stands at the backend Service, not at the Ingress."""
    unless: tuple[str, ...] = ("false", "")
    """Values that leave all as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpsRedirect:
    """When plain HTTP is answered with a redirect to HTTPS."""

    status: int
    by_default: bool
    """For hosts with TLS, unless the switch says no."""
    switch: str = ""
    force: str = ""
    """Annotation that redirects hosts without TLS, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """A controller and its documented behaviour."""

    product: str
    names: tuple[str, ...]
    """As in the class; one that ends with `*` begins so."""
    classes: tuple[str, ...] = ()
    """As in the annotation kubernetes.io/ingress.class, from before there were classes."""
    labels: tuple[tuple[str, str], ...] = ()
    """Each of them alone marks pods of its proxies, as its usual installation labels them."""
    control: tuple[tuple[str, str], ...] = ()
    """Each of them alone marks pods of the program that configures its proxies, where that runs apart from them."""
    gateway_labels: tuple[str, ...] = ("gateway.networking.k8s.io/gateway-name",)
    """Labels whose value is the Gateway's name."""
    reach: Reach = Reach.ENDPOINTS
    manner: Manner = field(default_factory=Manner)
    gateway: GatewayManner = field(default_factory=GatewayManner)
    annotations: tuple[Annotation, ...] = ()
    redirect: HttpsRedirect | None = None
    allows_http: str = ""
    """Annotation with which `false` keeps an Ingress from plain HTTP."""
    default_certificate: str | None = None
    """What is served to a name without certificate; empty: the handshake fails; None: not known."""
    in_cluster: bool = True
    """Its proxies are pods of the cluster."""
    ports: str = ""
    """Annotation that lists the ports on which a load balancer listens, in JSON; without it they are the usual ones."""
    live: str = ""
    """Where the proxy shows its live configuration."""
    admin_port: int | None = None
    """Port on the loopback of a proxy's pod where its Envoy shows it, to whoever may forward a port; None: not read."""

    @property
    def is_known(self) -> bool:
        """Whether there is any documented behaviour."""
        return bool(self.names)


def unknown_controller(name: str) -> Controller:
    """A controller that is not in the table."""
    return Controller(product=name or "an unknown controller", names=(), reach=Reach.UNKNOWN)
