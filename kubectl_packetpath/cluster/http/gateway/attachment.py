"""To which listeners a route is attached, and why not to the others.

The route has to name the Gateway, and the listener has to let routes of this kind and namespace in; their
hosts must have something in common.

Kubernetes: https://gateway-api.sigs.k8s.io/concepts/api-overview/#attaching-routes-to-gateways
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from kubectl_packetpath.cluster.http.gateway.hostnames import intersection
from kubectl_packetpath.cluster.http.gateway.model import (
    GROUP,
    AllowedRoutes,
    Gateway,
    Listener,
    Parent,
    Requirement,
    Route,
)

Labels = Mapping[str, Mapping[str, str]]
"""Of each namespace."""
HOSTED = {"HTTP", "HTTPS", "TLS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A route at a listener, or why it is not there."""

    route: Route
    parent: Parent
    listener: Listener
    hostnames: tuple[str, ...] = ()
    """What both serve; `*` for all."""
    why_not: str = ""
    unknown: bool = False
    """It could not be found out whether it is attached; `why_not` says what was missing."""

    @property
    def holds(self) -> bool:
        """Whether the route is attached."""
        return not self.why_not


def attachments(gateway: Gateway, route: Route, labels: Labels | None) -> Iterator[Attachment]:
    """Each listener of a Gateway that a route names, with whether it takes the route."""
    for parent in route.parents:
        target = parent.target
        if (target.group, target.kind) != (GROUP, "Gateway"):
            continue
        if (target.namespace, target.name) != (gateway.namespace, gateway.name):
            continue
        for listener in gateway.listeners:
            yield _attachment(gateway, listener, route, parent, labels)


def _attachment(
    gateway: Gateway, listener: Listener, route: Route, parent: Parent, labels: Labels | None
) -> Attachment:
    plain = Attachment(route=route, parent=parent, listener=listener)
    why = _why_not_meant(listener, parent) or _why_not_kind(listener, route)
    if why:
        return replace(plain, why_not=why)
    allowed = allows_namespace(listener.allowed, gateway.namespace, route.namespace, labels)
    if allowed is not True:
        return replace(plain, why_not=_why_not_namespace(listener, route), unknown=allowed is None)
    if listener.protocol not in HOSTED:
        return replace(plain, hostnames=("*",))
    hostnames = intersection(listener.hostname, route.hostnames)
    if not hostnames:
        named = ", ".join(route.hostnames)
        why = f"listener {listener.name} is for {listener.hostname}, the route for {named}"
        return replace(plain, why_not=why)
    return replace(plain, hostnames=hostnames)


def _why_not_meant(listener: Listener, parent: Parent) -> str:
    if parent.section and parent.section != listener.name:
        return f"the route names section {parent.section}"
    if parent.port is not None and parent.port != listener.port:
        return f"the route names port {parent.port}"
    return ""


def _why_not_kind(listener: Listener, route: Route) -> str:
    if route.kind in listener.kinds:
        return ""
    taken = ", ".join(listener.kinds) or "no routes"
    return f"listener {listener.name} ({listener.protocol}) takes {taken}, not {route.kind}"


def _why_not_namespace(listener: Listener, route: Route) -> str:
    match listener.allowed.namespaces:
        case "Same":
            return f"listener {listener.name} takes routes of the Gateway's own namespace only"
        case "Selector":
            return f"the labels of namespace {route.namespace} have to fit the selector of {listener.name}"
        case other:
            return f"listener {listener.name} takes routes from {other}"


def allows_namespace(allowed: AllowedRoutes, own: str, namespace: str, labels: Labels | None) -> bool | None:
    """Whether routes of a namespace may attach; None: its labels are not known."""
    match allowed.namespaces:
        case "All":
            return True
        case "Same":
            return own == namespace
        case "Selector":
            if labels is None or namespace not in labels:
                return None
            return all(_fits(each, labels[namespace]) for each in allowed.selector)
        case _:
            return False


def _fits(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return False
