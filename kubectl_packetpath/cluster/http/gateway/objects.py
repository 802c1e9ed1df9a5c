"""Objects of the Gateway API, read from Kubernetes' JSON.

Kubernetes: https://gateway-api.sigs.k8s.io/reference/spec/
"""

from kubectl_packetpath.cluster.fields import Json, number, optional_text, pairs, part, rows, text, texts
from kubectl_packetpath.cluster.http.decision import Backend, Reference
from kubectl_packetpath.cluster.http.gateway.filter_objects import filter_of
from kubectl_packetpath.cluster.http.gateway.model import (
    GROUP,
    AllowedRoutes,
    BackendRef,
    Condition,
    Gateway,
    GatewayClass,
    Grant,
    GrpcMethodMatch,
    Listener,
    Match,
    Parent,
    ParentStatus,
    PathMatch,
    Requirement,
    Route,
    RouteRule,
    ValueMatch,
)


def gateway_class_of(given: Json) -> GatewayClass:
    """A GatewayClass."""
    return GatewayClass(
        name=text(part(given, "metadata"), "name"),
        controller=text(part(given, "spec"), "controllerName"),
        conditions=_conditions(part(given, "status")),
    )


def gateway_of(given: Json) -> Gateway:
    """A Gateway."""
    meta, spec, status = part(given, "metadata"), part(given, "spec"), part(given, "status")
    namespace = text(meta, "namespace")
    told = {text(each, "name"): _conditions(each) for each in rows(status, "listeners")}
    return Gateway(
        namespace=namespace,
        name=text(meta, "name"),
        class_name=text(spec, "gatewayClassName"),
        generation=number(meta, "generation"),
        listeners=tuple(
            _listener(each, namespace, told.get(text(each, "name"), ())) for each in rows(spec, "listeners")
        ),
        addresses=tuple(text(each, "value") for each in rows(status, "addresses")),
        conditions=_conditions(status),
    )


def _listener(given: Json, namespace: str, conditions: tuple[Condition, ...]) -> Listener:
    tls, allowed = part(given, "tls"), part(given, "allowedRoutes")
    spaces = part(allowed, "namespaces")
    certificates = (
        reference_of(each, namespace, kind="Secret", group="") for each in rows(tls, "certificateRefs")
    )
    return Listener(
        name=text(given, "name"),
        port=number(given, "port") or 0,
        protocol=text(given, "protocol"),
        hostname=text(given, "hostname").lower().rstrip("."),
        tls_mode=text(tls, "mode") or "Terminate",
        certificates=tuple(certificates),
        allowed=AllowedRoutes(
            namespaces=text(spaces, "from") or "Same",
            selector=tuple(_requirements(part(spaces, "selector"))),
            kinds=tuple(text(each, "kind") for each in rows(allowed, "kinds")),
        ),
        conditions=conditions,
    )


def _requirements(selector: Json) -> list[Requirement]:
    labels = pairs(selector.get("matchLabels"))
    plain = [Requirement(key=key, operator="In", values=(value,)) for key, value in labels]
    return plain + [
        Requirement(key=text(each, "key"), operator=text(each, "operator"), values=texts(each, "values"))
        for each in rows(selector, "matchExpressions")
    ]


def reference_of(given: Json, namespace: str, *, kind: str, group: str) -> Reference:
    """A reference, with what it leaves out."""
    named = optional_text(given, "group")
    return Reference(
        kind=text(given, "kind") or kind,
        namespace=text(given, "namespace") or namespace,
        name=text(given, "name"),
        group=group if named is None else named,
    )


def route_of(given: Json, kind: str) -> Route:
    """A route of any kind."""
    meta, spec = part(given, "metadata"), part(given, "spec")
    namespace = text(meta, "namespace")
    return Route(
        kind=kind,
        namespace=namespace,
        name=text(meta, "name"),
        created=text(meta, "creationTimestamp"),
        generation=number(meta, "generation"),
        parents=tuple(_parent(each, namespace) for each in rows(spec, "parentRefs")),
        hostnames=tuple(host.lower().rstrip(".") for host in texts(spec, "hostnames")),
        rules=tuple(_rule(each, namespace, kind) for each in rows(spec, "rules")),
        statuses=tuple(
            ParentStatus(
                parent=_parent(part(each, "parentRef"), namespace),
                controller=text(each, "controllerName"),
                conditions=_conditions(each),
            )
            for each in rows(part(given, "status"), "parents")
        ),
    )


def _parent(given: Json, namespace: str) -> Parent:
    return Parent(
        target=reference_of(given, namespace, kind="Gateway", group=GROUP),
        section=text(given, "sectionName"),
        port=number(given, "port"),
    )


def _rule(given: Json, namespace: str, kind: str) -> RouteRule:
    matches = rows(given, "matches")
    read = _grpc_match if kind == "GRPCRoute" else _match
    persistence = part(given, "sessionPersistence")
    sticky = text(persistence, "type") or "Cookie"
    named = text(persistence, "sessionName")
    return RouteRule(
        name=text(given, "name"),
        matches=tuple(read(each) for each in matches) or (Match(),),
        filters=tuple(filter_of(each, namespace) for each in rows(given, "filters")),
        backends=tuple(_backend_ref(each, namespace) for each in rows(given, "backendRefs")),
        timeouts=pairs(given.get("timeouts")),
        persistence=f"{sticky} {named}".strip() if persistence else "",
    )


def _match(given: Json) -> Match:
    path = part(given, "path")
    return Match(
        path=PathMatch(type=text(path, "type") or "PathPrefix", value=text(path, "value") or "/"),
        headers=_values(rows(given, "headers"), lower=True),
        parameters=_values(rows(given, "queryParams"), lower=False),
        method=text(given, "method"),
    )


def _grpc_match(given: Json) -> Match:
    method = part(given, "method")
    wanted = GrpcMethodMatch(
        service=text(method, "service"),
        method=text(method, "method"),
        is_expression=text(method, "type") == "RegularExpression",
    )
    return Match(headers=_values(rows(given, "headers"), lower=True), grpc=wanted if method else None)


def _values(given: list[Json], *, lower: bool) -> tuple[ValueMatch, ...]:
    """The first entry of each name counts, as the specification says."""
    found: dict[str, ValueMatch] = {}
    for each in given:
        name = text(each, "name").lower() if lower else text(each, "name")
        expression = text(each, "type") == "RegularExpression"
        found.setdefault(name, ValueMatch(name=name, value=text(each, "value"), is_expression=expression))
    return tuple(found.values())


def backend_of(given: Json, namespace: str) -> Backend:
    """A backend of a route or a filter."""
    port = number(given, "port")
    return Backend(
        target=reference_of(given, namespace, kind="Service", group=""),
        port=str(port) if port is not None else "",
    )


def _backend_ref(given: Json, namespace: str) -> BackendRef:
    weight = number(given, "weight")
    return BackendRef(
        backend=backend_of(given, namespace),
        weight=1 if weight is None else max(0, weight),
        filters=tuple(filter_of(each, namespace) for each in rows(given, "filters")),
    )


def grant_of(given: Json) -> Grant:
    """A ReferenceGrant."""
    meta, spec = part(given, "metadata"), part(given, "spec")
    return Grant(
        namespace=text(meta, "namespace"),
        name=text(meta, "name"),
        sources=tuple(reference_of(each, "", kind="", group="") for each in rows(spec, "from")),
        targets=tuple(reference_of(each, "", kind="", group="") for each in rows(spec, "to")),
    )


def _conditions(given: Json) -> tuple[Condition, ...]:
    return tuple(
        Condition(
            type=text(each, "type"),
            status=text(each, "status"),
            reason=text(each, "reason"),
            message=text(each, "message"),
            observed_generation=number(each, "observedGeneration"),
        )
        for each in rows(given, "conditions")
    )
