"""An Envoy's own words about its listeners, routes and clusters, as plain data.

What it says comes from inside of a pod and is not trusted: what has another shape than the documentation gives it is refused
whole, what is not understood is kept as such, and header values that routes add are not kept at all.

Source: https://www.envoyproxy.io/docs/envoy/latest/operations/admin; api/envoy/admin/v3/{clusters,config_dump,listeners}.proto
"""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any, TypeVar

import msgspec

from kubectl_packetpath.cluster.http.decision import Reference
from kubectl_packetpath.cluster.http.live.model import (
    Condition,
    Listening,
    LoadedCluster,
    LoadedRoute,
    Match,
    Member,
    RouteTable,
    VirtualHost,
)
from kubectl_packetpath.packet import Address
from kubectl_packetpath.sources.envoy_shapes import (
    Clusters,
    ClusterStatus,
    Dump,
    Host,
    Listeners,
    Metadata,
    Route,
    SocketAddress,
)
from kubectl_packetpath.sources.trouble import UnreachableError

LISTENERS_DECODER, CLUSTERS_DECODER, DUMP_DECODER = (
    msgspec.json.Decoder(Listeners),
    msgspec.json.Decoder(Clusters),
    msgspec.json.Decoder(Dump),
)
"""Made here, by one thread: msgspec 0.22 crashes where two learn a shape at the same time, and Envoys answer so."""
LISTENERS, CLUSTERS = "/listeners?format=json", "/clusters?format=json"
ROUTES = "/config_dump?resource=dynamic_route_configs"
"""Of the dump the routes alone: certificates and what else is in it are not asked for."""
MOST_TEXT = 1000
NO_TRAFFIC = ("failed_active_health_check", "failed_outlier_check", "pending_active_hc", "active_hc_timeout")
HEALTHY = {"HEALTHY", "UNKNOWN", "DEGRADED"}
PATHS = ("path", "prefix", "path_separated_prefix")
COMPARED = ("exact", "prefix", "suffix", "contains")
ACTIONS = ("route", "redirect", "direct_response")
CONTOUR = "io.projectcontour."
LABEL, PORT = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?", "(:[0-9]+)?"
"""How Contour says that the star of a host stands for one label, with the rest of the host between them."""
LITERAL = re.compile(r"(?:\\[^a-zA-Z0-9]|[-a-zA-Z0-9_])*")
T = TypeVar("T")


def listeners_of(data: bytes) -> tuple[Listening, ...]:
    """Listeners with addresses of IP."""
    found = []
    for each in _decoded(data, LISTENERS_DECODER).listener_statuses:
        given = each.local_address.socket_address
        if given is not None:
            found.append(Listening(name=_text(each.name), address=_address(given), port=given.port_value))
    return tuple(found)


def clusters_of(data: bytes) -> tuple[LoadedCluster, ...]:
    """Clusters with their hosts, without those that are on their way out."""
    return tuple(
        LoadedCluster(
            name=_text(each.name), source=_text(each.eds_service_name), members=tuple(_members(each))
        )
        for each in _decoded(data, CLUSTERS_DECODER).cluster_statuses
    )


def _members(cluster: ClusterStatus) -> Iterator[Member]:
    for each in cluster.host_statuses:
        given, health = each.address.socket_address, each.health_status
        if given is None or health.pending_dynamic_removal:
            continue
        flags = [name for name in NO_TRAFFIC if getattr(health, name)]
        if health.eds_health_status not in HEALTHY:
            flags.append(f"eds_health_status {_text(health.eds_health_status)}")
        yield Member(address=_address(given), port=given.port_value, flags=tuple(flags))


def tables_of(data: bytes) -> tuple[RouteTable, ...]:
    """Route configurations."""
    return tuple(
        RouteTable(
            name=_text(each.route_config.name), hosts=tuple(map(_host, each.route_config.virtual_hosts))
        )
        for each in _decoded(data, DUMP_DECODER).configs
        if each.route_config is not None
    )


def _host(given: Host) -> VirtualHost:
    routes = tuple(map(_route, given.routes))
    if given.matcher is not None:
        unknown = LoadedRoute(match=Match(kind="matcher"), does="matcher")
        routes = (unknown, *routes)
    return VirtualHost(
        domains=tuple(map(_text, given.domains)), routes=routes, requires_tls=given.require_tls != "NONE"
    )


def _route(given: Route) -> LoadedRoute:
    does = next((name for name in ACTIONS if getattr(given, name) is not None), "something else")
    clusters: tuple[tuple[str, int], ...] = ()
    if given.route is not None:
        several = given.route.weighted_clusters
        if several is not None:
            clusters = tuple((_text(each.name), each.weight) for each in several.clusters)
        elif given.route.cluster:
            clusters = ((_text(given.route.cluster), 1),)
        else:
            does = "something else"
    if any(weight < 0 for _, weight in clusters):
        raise UnreachableError("its answer is not what Envoy answers: a weight below 0")
    return LoadedRoute(
        match=_match(given.match),
        does=does,
        clusters=clusters,
        status=given.direct_response.status if given.direct_response is not None else None,
        origin=_origin(given.metadata),
    )


def _match(given: Mapping[str, Any]) -> Match:
    rest = dict(given)
    kind = next((name for name in PATHS if isinstance(rest.get(name), str)), "")
    value = _text(str(rest.pop(kind))) if kind else ""
    sensitive = rest.pop("case_sensitive", True) is not False
    conditions = (
        *_conditions("header", rest.pop("headers", ())),
        *_conditions("query", rest.pop("query_parameters", ())),
    )
    return Match(
        kind=kind or _text(" ".join(sorted(map(str, rest)))) or "nothing",
        value=value,
        case_sensitive=sensitive,
        conditions=conditions,
        more=tuple(_text(str(name)) for name in sorted(rest)) if kind else (),
    )


def _conditions(place: str, given: Any) -> Iterator[Condition]:
    if not isinstance(given, list | tuple):
        raise UnreachableError(f"its answer is not what Envoy answers: {place} conditions that are no list")
    for each in given:
        rest = dict(each) if isinstance(each, Mapping) else {}
        name = rest.pop("name", None)
        inverted = rest.pop("invert_match", False) is True
        how, value = _compared(rest)
        yield Condition(
            place=place,
            name=_text(str(name)).lower() if place == "header" else _text(str(name)),
            how=how,
            value=value,
            inverted=inverted,
        )


def _compared(given: Mapping[str, Any]) -> tuple[str, str]:
    """How a value is compared, and with what; anything but the plain ways is told by its names."""
    if dict(given) == {"present_match": True}:
        return "present", ""
    text = given.get("string_match")
    if set(given) == {"string_match"} and isinstance(text, Mapping):
        for how in COMPARED:
            if set(text) == {how} and isinstance(text[how], str):
                return how, _text(text[how])
        host = _below_one_label(text)
        if host:
            return "one label and", host
        return _text(" ".join(sorted(map(str, text)))) or "nothing", ""
    return _text(" ".join(sorted(map(str, given)))) or "nothing", ""


def _below_one_label(given: Mapping[str, Any]) -> str:
    """The host below the star, of the one expression that is understood here; empty: it is another."""
    expression = given.get("safe_regex")
    written = (
        expression.get("regex") if set(given) == {"safe_regex"} and isinstance(expression, Mapping) else None
    )
    if not isinstance(written, str) or not (written.startswith(LABEL) and written.endswith(PORT)):
        return ""
    rest = written[len(LABEL) : -len(PORT)]
    return _text(rest.replace("\\", "")) if len(rest) < MOST_TEXT and LITERAL.fullmatch(rest) else ""


def _origin(given: Metadata | None) -> Reference | None:
    """The object behind a route, where Contour notes it for its access log."""
    noted = given.filter_metadata.get("envoy.access_loggers.file") if given is not None else None
    if not isinstance(noted, Mapping) or not noted.get(f"{CONTOUR}kind"):
        return None
    kind, namespace, name = (
        _text(str(noted.get(f"{CONTOUR}{key}", ""))) for key in ("kind", "namespace", "name")
    )
    return Reference(kind=kind, namespace=namespace, name=name)


def _decoded(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UnreachableError(f"its answer is not what Envoy answers: {str(error)[:200]}") from error


def _address(given: SocketAddress) -> Address:
    try:
        return ip_address(given.address)
    except ValueError as error:
        raise UnreachableError(f"its answer is not what Envoy answers: {error!s:.200}") from error


def _text(given: str) -> str:
    """Some text of a stranger; what is too long to be a name is cut, and then equals nothing."""
    return given if len(given) <= MOST_TEXT else f"{given[:MOST_TEXT]}…"
