"""Gateways, routes and grants as plain data.

Kubernetes: https://gateway-api.sigs.k8s.io/reference/spec/
"""

from dataclasses import dataclass

from kubectl_packetpath.cluster.http.decision import Backend, Reference

GROUP = "gateway.networking.k8s.io"
HTTP_KINDS = ("HTTPRoute", "GRPCRoute")
KINDS_OF_PROTOCOL = {
    "HTTP": HTTP_KINDS,
    "HTTPS": HTTP_KINDS,
    "TLS": ("TLSRoute", "TCPRoute"),
    "TCP": ("TCPRoute",),
    "UDP": ("UDPRoute",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a controller says of an object."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    observed_generation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayClass:
    """A GatewayClass."""

    name: str
    controller: str
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One expression of a label selector."""

    key: str
    operator: str
    """In, NotIn, Exists or DoesNotExist."""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedRoutes:
    """Which routes a listener lets attach."""

    namespaces: str = "Same"
    """Same, All, Selector or None."""
    selector: tuple[Requirement, ...] = ()
    kinds: tuple[str, ...] = ()
    """Empty: those that fit the protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A port, a protocol and perhaps a host on which a Gateway takes connections."""

    name: str
    port: int
    protocol: str
    hostname: str = ""
    """Empty: all hosts."""
    tls_mode: str = "Terminate"
    certificates: tuple[Reference, ...] = ()
    allowed: AllowedRoutes = AllowedRoutes()
    conditions: tuple[Condition, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of routes that it takes."""
        known = KINDS_OF_PROTOCOL.get(self.protocol, ())
        if not self.allowed.kinds:
            return known
        return tuple(kind for kind in self.allowed.kinds if kind in known)

    @property
    def title(self) -> str:
        """`https (443/HTTPS *.example.com)`."""
        host = f" {self.hostname}" if self.hostname else ""
        return f"{self.name} ({self.port}/{self.protocol}{host})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A Gateway."""

    namespace: str
    name: str
    class_name: str
    generation: int | None = None
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[str, ...] = ()
    """By its status: IP addresses and host names."""
    conditions: tuple[Condition, ...] = ()

    @property
    def reference(self) -> Reference:
        """Its kind and name."""
        return Reference(kind="Gateway", namespace=self.namespace, name=self.name, group=GROUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """What a route wants to be attached to."""

    target: Reference
    section: str = ""
    port: int | None = None

    def __str__(self) -> str:
        """`Gateway infra/edge, section https`."""
        section = f", section {self.section}" if self.section else ""
        port = f", port {self.port}" if self.port else ""
        return f"{self.target}{section}{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentStatus:
    """What a controller says of a route's attachment."""

    parent: Parent
    controller: str
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueMatch:
    """A header or query parameter that a request has to carry."""

    name: str
    value: str
    is_expression: bool = False

    def __str__(self) -> str:
        """`version=one` or `version~one.*`."""
        return f"{self.name}{'~' if self.is_expression else '='}{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathMatch:
    """A path that a request has to have."""

    type: str = "PathPrefix"
    """Exact, PathPrefix or RegularExpression."""
    value: str = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcMethodMatch:
    """A gRPC service and method, which make the path `/service/method`."""

    service: str = ""
    method: str = ""
    is_expression: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Conditions that a request has to meet all."""

    path: PathMatch = PathMatch()
    headers: tuple[ValueMatch, ...] = ()
    parameters: tuple[ValueMatch, ...] = ()
    method: str = ""
    grpc: GrpcMethodMatch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathChange:
    """How a redirect or rewrite changes the path."""

    type: str
    """ReplaceFullPath or ReplacePrefixMatch."""
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Something done to a request or its answer."""

    type: str
    scheme: str = ""
    hostname: str = ""
    port: int | None = None
    status: int | None = None
    path: PathChange | None = None
    mirror: Backend | None = None
    percent: str = ""
    """Of the requests that are mirrored, as written; empty: all."""
    words: str = ""
    """For header changes and what only the implementation knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRef:
    """A backend with its weight."""

    backend: Backend
    weight: int = 1
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRule:
    """Matches, filters and backends."""

    name: str = ""
    matches: tuple[Match, ...] = (Match(),)
    filters: tuple[Filter, ...] = ()
    backends: tuple[BackendRef, ...] = ()
    timeouts: tuple[tuple[str, str], ...] = ()
    persistence: str = ""
    """How sessions stick to one backend; empty: they do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An HTTPRoute, GRPCRoute, TLSRoute, TCPRoute or UDPRoute."""

    kind: str
    namespace: str
    name: str
    created: str = ""
    generation: int | None = None
    parents: tuple[Parent, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[RouteRule, ...] = ()
    statuses: tuple[ParentStatus, ...] = ()

    @property
    def reference(self) -> Reference:
        """Its kind and name."""
        return Reference(kind=self.kind, namespace=self.namespace, name=self.name, group=GROUP)

    @property
    def age(self) -> tuple[str, str, str]:
        """Sorts the oldest first, and those of one moment by name."""
        return (self.created or "9999", self.namespace, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A ReferenceGrant: who may refer to objects of its namespace."""

    namespace: str
    name: str
    sources: tuple[Reference, ...] = ()
    """Group, kind and namespace."""
    targets: tuple[Reference, ...] = ()
    """Group, kind and perhaps a name."""
