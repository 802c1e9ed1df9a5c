"""The shapes of what an Envoy's admin interface answers, as far as it is read.

What has another shape is refused whole; fields that are not listed here are left out.

Source: https://www.envoyproxy.io/docs/envoy/latest/operations/admin; api/envoy/admin/v3/{clusters,config_dump,listeners}.proto
"""

from typing import Any

import msgspec

Json = dict[str, Any]


class SocketAddress(msgspec.Struct):
    """An address with its port."""

    address: str
    port_value: int = 0


class AnyAddress(msgspec.Struct):
    """An address of any kind; others than those of IP are left out."""

    socket_address: SocketAddress | None = None


class ListenerStatus(msgspec.Struct):
    """One listener."""

    name: str
    local_address: AnyAddress = msgspec.field(default_factory=AnyAddress)


class Listeners(msgspec.Struct):
    """The answer to /listeners."""

    listener_statuses: list[ListenerStatus] = []


class HealthStatus(msgspec.Struct):
    """Why a host is given no requests."""

    failed_active_health_check: bool = False
    failed_outlier_check: bool = False
    pending_active_hc: bool = False
    active_hc_timeout: bool = False
    pending_dynamic_removal: bool = False
    eds_health_status: str = "HEALTHY"


class HostStatus(msgspec.Struct):
    """One host of a cluster."""

    address: AnyAddress = msgspec.field(default_factory=AnyAddress)
    health_status: HealthStatus = msgspec.field(default_factory=HealthStatus)


class ClusterStatus(msgspec.Struct):
    """One cluster."""

    name: str
    eds_service_name: str = ""
    host_statuses: list[HostStatus] = []


class Clusters(msgspec.Struct):
    """The answer to /clusters."""

    cluster_statuses: list[ClusterStatus] = []


class ClusterWeight(msgspec.Struct):
    """One of several clusters."""

    name: str = ""
    weight: int = 1


class WeightedClusters(msgspec.Struct):
    """Several clusters."""

    clusters: list[ClusterWeight] = []


class Action(msgspec.Struct):
    """Where a route sends to."""

    cluster: str = ""
    weighted_clusters: WeightedClusters | None = None


class DirectResponse(msgspec.Struct):
    """What Envoy answers itself."""

    status: int = 0


class Metadata(msgspec.Struct):
    """What a controller notes beside a route."""

    filter_metadata: dict[str, Any] = {}


class Route(msgspec.Struct):
    """One route."""

    match: Json
    route: Action | None = None
    redirect: Json | None = None
    direct_response: DirectResponse | None = None
    metadata: Metadata | None = None


class Host(msgspec.Struct):
    """A virtual host."""

    domains: list[str]
    routes: list[Route] = []
    require_tls: str = "NONE"
    matcher: Json | None = None


class RouteConfig(msgspec.Struct):
    """A route configuration."""

    name: str = ""
    virtual_hosts: list[Host] = []


class DynamicRoutes(msgspec.Struct):
    """One entry of the dump."""

    route_config: RouteConfig | None = None


class Dump(msgspec.Struct):
    """The answer to /config_dump."""

    configs: list[DynamicRoutes] = []
