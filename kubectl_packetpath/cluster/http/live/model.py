"""What an Envoy says that it has loaded: listeners, routes, and where its clusters lead.

Only what decides where a request goes; header values that routes add, certificates and keys are never kept.

Source: https://www.envoyproxy.io/docs/envoy/latest/operations/admin, api/envoy/config/route/v3/route_components.proto
"""

from dataclasses import dataclass

from kubectl_packetpath.cluster.http.decision import Reference
from kubectl_packetpath.packet import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """A listener with the address that it is bound to."""

    name: str
    address: Address
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A header or a query parameter that a route asks for."""

    place: str
    """`header` or `query`."""
    name: str
    how: str
    """exact, prefix, suffix, contains, present, `one label and`, or something that is not decided here."""
    value: str = ""
    inverted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which requests a route takes."""

    kind: str
    """path, prefix, path_separated_prefix, or something that is not decided here."""
    value: str = ""
    case_sensitive: bool = True
    conditions: tuple[Condition, ...] = ()
    more: tuple[str, ...] = ()
    """Names of conditions that are not understood here."""

    def __str__(self) -> str:
        """`prefix / and header version exact two`."""
        told = [f"{self.kind} {self.value}".strip()]
        told += [
            f"{each.place} {each.name} {'not ' if each.inverted else ''}{each.how} {each.value}".strip()
            for each in self.conditions
        ]
        return " and ".join([*told, *self.more])


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRoute:
    """One route of a virtual host."""

    match: Match
    does: str
    """route, redirect, direct_response, or something that is not decided here."""
    clusters: tuple[tuple[str, int], ...] = ()
    """Names with their weights; those without weight take nothing."""
    status: int | None = None
    """Of a direct_response."""
    origin: Reference | None = None
    """The object that it was made from, where the controller notes that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualHost:
    """Domains, and their routes in the order in which they are tried."""

    domains: tuple[str, ...]
    routes: tuple[LoadedRoute, ...] = ()
    requires_tls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """A route configuration, which listeners name."""

    name: str
    hosts: tuple[VirtualHost, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A host of a cluster."""

    address: Address
    port: int
    flags: tuple[str, ...] = ()
    """Why it is given no requests; empty: it is healthy, as far as this proxy knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedCluster:
    """A cluster: in Envoy's language, all hosts to which a route's requests may go."""

    name: str
    source: str = ""
    """The name under which its hosts are looked up: with Contour `namespace/service/port name`."""
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """All that one proxy says of itself."""

    listeners: tuple[Listening, ...] = ()
    tables: tuple[RouteTable, ...] = ()
    clusters: tuple[LoadedCluster, ...] = ()

    def cluster(self, name: str) -> LoadedCluster | None:
        """A cluster by name."""
        return next((each for each in self.clusters if each.name == name), None)
