"""For each request that a question stands for: who decides on it, what is decided, and where it comes in."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from kubectl_packetpath.cluster.ask import AskError, similar
from kubectl_packetpath.cluster.http.applied import applied
from kubectl_packetpath.cluster.http.asking import HttpWish
from kubectl_packetpath.cluster.http.backends import problem_of, service_of_backend
from kubectl_packetpath.cluster.http.classes import Serving, by_controller, serving
from kubectl_packetpath.cluster.http.control import idle
from kubectl_packetpath.cluster.http.controllers import controller_named
from kubectl_packetpath.cluster.http.controllers.base import Controller, Reach
from kubectl_packetpath.cluster.http.decision import Decision, Reference, Result
from kubectl_packetpath.cluster.http.entrance import Entrance, entrance
from kubectl_packetpath.cluster.http.examples import changed, of_attachment, of_ingress
from kubectl_packetpath.cluster.http.gateway.attachment import attachments
from kubectl_packetpath.cluster.http.gateway.listeners import taking
from kubectl_packetpath.cluster.http.gateway.model import Gateway, Listener, Route
from kubectl_packetpath.cluster.http.gateway.routing import route_gateway
from kubectl_packetpath.cluster.http.gateway.streams import by_port
from kubectl_packetpath.cluster.http.gateway.world import GatewayWorld
from kubectl_packetpath.cluster.http.model import Ingress
from kubectl_packetpath.cluster.http.request import HttpRequest, request_of
from kubectl_packetpath.cluster.http.settings import Settings, settings_of
from kubectl_packetpath.cluster.http.tls.model import Secrets
from kubectl_packetpath.cluster.http.tls.serving import (
    Asked,
    Shown,
    secrets_of_ingresses,
    shown_by_ingress,
    shown_by_listener,
)
from kubectl_packetpath.cluster.model import Cluster
from kubectl_packetpath.snapshot.absent import Absent, Section

T = TypeVar("T")
MOST_REQUESTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One request at one controller."""

    request: HttpRequest
    decision: Decision
    controller: Controller
    name: str
    """The controller as its class names it."""
    settings: Settings
    entrance: Entrance
    ingresses: tuple[Ingress, ...] = ()
    """All that the controller applies."""
    gateway: Gateway | None = None
    listener: Listener | None = None

    @property
    def certificates(self) -> tuple[Reference, ...]:
        """The Secrets of which the certificate may be shown."""
        if not self.request.is_tls:
            return ()
        if self.listener is not None:
            return tuple(each for each in self.listener.certificates if each.kind == "Secret")
        return tuple(
            Reference(kind="Secret", namespace=ingress.namespace, name=name)
            for ingress, name in secrets_of_ingresses(self.ingresses, self.request.sni)
            if name
        )[:1]

    def shown(self, cluster: Cluster, secrets: Secrets, moment: datetime) -> Shown | None:
        """The certificate that the client sees; None without TLS at the proxy."""
        asked = Asked(host=self.request.sni or self.request.host, moment=moment)
        if not self.request.is_tls or self.settings.passthrough:
            return None
        if self.settings.certificate:
            return Shown(source=self.controller.product, unknown=self.settings.certificate)
        if self.gateway is not None:
            if self.listener is None:
                return None
            grants = _rows(cluster.web.grants)
            return shown_by_listener(self.gateway, self.listener, grants, secrets, asked)
        return shown_by_ingress(self.ingresses, self.controller, secrets, asked)


def _rows(section: Section[T]) -> tuple[T, ...] | None:
    return None if isinstance(section, Absent) else section


def plans(wish: HttpWish, cluster: Cluster) -> tuple[Plan, ...]:
    """Every request that a question stands for, at every controller that may take it."""
    if wish.url:
        return _of_url(wish, cluster)
    if wish.kind == "Ingress":
        return tuple(_of_ingress(wish, cluster))
    return tuple(_of_gateways(wish, cluster))


def _limited(requests: Iterable[HttpRequest]) -> list[HttpRequest]:
    return list(dict.fromkeys(requests))[:MOST_REQUESTS]


def _of_ingress(wish: HttpWish, cluster: Cluster) -> Iterator[Plan]:
    known = cluster.web.ingresses
    if isinstance(known, Absent):
        raise AskError(
            f"Ingresses could not be read: {known.detail or known.why}",
            "kubectl auth can-i list ingresses -A (docs/permissions.md)",
        )
    found = next((each for each in known if (each.namespace, each.name) == (wish.namespace, wish.name)), None)
    if found is None:
        raise _missing("Ingress", wish, [(each.namespace, each.name) for each in known], cluster)
    servings = _servings(cluster)
    mine = next(each for each in servings if each.ingress == found)
    group = by_controller(servings).get(mine.name, [mine])
    for request in _limited(of_ingress(found, wish.overrides)):
        if mine.is_served:
            yield _applied(request, group, cluster, found)
        else:
            yield _unserved(request, mine)


def _servings(cluster: Cluster) -> list[Serving]:
    classes = _rows(cluster.web.classes)
    return [serving(each, classes) for each in _rows(cluster.web.ingresses) or ()]


def _unserved(request: HttpRequest, mine: Serving) -> Plan:
    result = Result.REFUSED if mine.certain else Result.UNKNOWN
    reason = f"nobody is known to apply {mine.ingress.reference}: {mine.why}"
    return Plan(
        request=request,
        decision=Decision(request=request, result=result, reason=reason),
        controller=mine.controller,
        name="",
        settings=Settings(reach=mine.controller.reach),
        entrance=Entrance(why="no controller is known"),
        ingresses=(mine.ingress,),
    )


def _applied(
    request: HttpRequest, group: Sequence[Serving], cluster: Cluster, asked: Ingress | None = None
) -> Plan:
    found = applied(request, group, cluster)
    published = [
        address
        for each in (asked, found.ingress, *(one.ingress for one in group))
        if each is not None
        for address in each.addresses
    ]
    where = entrance(cluster, found.controller, dict.fromkeys(published))
    decision = _with_reach(found.decision, found.settings, found.controller)
    return Plan(
        request=request,
        decision=_with_control(decision, idle(cluster, found.controller, where)),
        controller=found.controller,
        name=found.name,
        settings=found.settings,
        entrance=where,
        ingresses=tuple(each.ingress for each in group),
    )


def _missing(kind: str, wish: HttpWish, known: Sequence[tuple[str, str]], cluster: Cluster) -> AskError:
    remedy = similar(wish, known, kind.lower(), cluster)
    return AskError(f"There is no {kind} {wish.name} in namespace {wish.namespace}.", remedy)


def _of_gateways(wish: HttpWish, cluster: Cluster) -> Iterator[Plan]:
    gateways = cluster.web.gateways
    if isinstance(gateways, Absent):
        raise AskError(
            f"Gateways could not be read: {gateways.detail or gateways.why}",
            "kubectl auth can-i list gateways -A (docs/permissions.md)",
        )
    if wish.kind == "Gateway":
        found = [each for each in gateways if (each.namespace, each.name) == (wish.namespace, wish.name)]
        if not found:
            raise _missing("Gateway", wish, [(each.namespace, each.name) for each in gateways], cluster)
        yield from _at_gateway(found[0], cluster.web.routes, wish, cluster)
        return
    routes = [each for each in cluster.web.routes if each.kind == wish.kind]
    route = next(
        (each for each in routes if (each.namespace, each.name) == (wish.namespace, wish.name)), None
    )
    if route is None:
        raise _missing(wish.kind, wish, [(each.namespace, each.name) for each in routes], cluster)
    wanted = {(each.target.namespace, each.target.name) for each in route.parents}
    for gateway in gateways:
        if (gateway.namespace, gateway.name) in wanted:
            wanted.discard((gateway.namespace, gateway.name))
            yield from _at_gateway(gateway, (route,), wish, cluster)
    for namespace, name in sorted(wanted):
        yield _without_gateway(route, namespace, name)


def _without_gateway(route: Route, namespace: str, name: str) -> Plan:
    request = HttpRequest(host=route.hostnames[0] if route.hostnames else "")
    reason = f"{route.reference} names Gateway {namespace}/{name}, which does not exist"
    controller = controller_named("")
    return Plan(
        request=request,
        decision=Decision(request=request, result=Result.REFUSED, reason=reason),
        controller=controller,
        name="",
        settings=Settings(reach=controller.reach),
        entrance=Entrance(why="there is no Gateway"),
    )


def _at_gateway(
    gateway: Gateway, routes: Iterable[Route], wish: HttpWish, cluster: Cluster
) -> Iterator[Plan]:
    """The requests that routes stand for at a Gateway; one for each listener where none is attached."""
    world = world_of(gateway, cluster)
    held = [each for route in routes for each in attachments(gateway, route, world.labels) if each.holds]
    requests = _limited(request for each in held for request in of_attachment(each, wish.overrides))
    for request in requests:
        yield _decided(request, world, cluster)
    streams = dict.fromkeys(
        (each.listener.port, each.listener.protocol)
        for each in held
        if each.listener.protocol in {"TCP", "UDP"}
    )
    for port, protocol in streams:
        yield _streamed(port, protocol, world, cluster)
    if not requests and not streams:
        for listener in gateway.listeners:
            scheme = {"HTTP": "http", "HTTPS": "https", "TLS": "https"}.get(listener.protocol)
            if scheme is not None:
                plain = HttpRequest(scheme=scheme, host=_host_at(listener, wish), port=listener.port)
                path = wish.overrides.path or "/"
                yield _decided(changed(replace(plain, path=path), wish.overrides), world, cluster)


def _host_at(listener: Listener, wish: HttpWish) -> str:
    pattern = wish.overrides.host or listener.hostname or "any.example"
    return f"www{pattern[1:]}" if pattern.startswith("*.") else pattern


def world_of(gateway: Gateway, cluster: Cluster) -> GatewayWorld:
    """A Gateway with what is around it."""
    classes = _rows(cluster.web.gateway_classes)
    found = next((each for each in classes or () if each.name == gateway.class_name), None)
    namespaces = cluster.namespaces
    return GatewayWorld(
        gateway=gateway,
        gateway_class=found,
        routes=cluster.web.routes,
        grants=_rows(cluster.web.grants),
        labels=None
        if isinstance(namespaces, Absent)
        else {each.name: dict(each.labels) for each in namespaces},
        problem_of=lambda backend: problem_of(cluster, backend),
        manner=controller_named(found.controller if found else "").gateway,
    )


def _decided(request: HttpRequest, world: GatewayWorld, cluster: Cluster) -> Plan:
    taken = taking(world.gateway, request)
    listener = taken.listeners[0] if taken.listeners else None
    return _of_world(request, route_gateway(request, world), world, cluster, listener)


def _streamed(port: int, protocol: str, world: GatewayWorld, cluster: Cluster) -> Plan:
    decision = by_port(world, port, protocol)
    return _of_world(decision.request, decision, world, cluster, None)


def _of_world(
    request: HttpRequest, decision: Decision, world: GatewayWorld, cluster: Cluster, listener: Listener | None
) -> Plan:
    name = world.gateway_class.controller if world.gateway_class is not None else ""
    controller = controller_named(name)
    service = service_of_backend(cluster, decision.shares[0].backend) if decision.shares else None
    passes = listener is not None and listener.tls_mode == "Passthrough"
    settings = replace(settings_of(controller, None, service), passthrough=passes)
    where = entrance(cluster, controller, world.gateway.addresses, world.gateway)
    return Plan(
        request=request,
        decision=_with_control(_with_reach(decision, settings, controller), idle(cluster, controller, where)),
        controller=controller,
        name=name,
        settings=settings,
        entrance=where,
        gateway=world.gateway,
        listener=listener,
    )


def _with_control(decision: Decision, why: str) -> Decision:
    """A doubt where nobody tells the proxies of the objects."""
    return replace(decision, doubts=(*decision.doubts, why)) if why else decision


def _with_reach(decision: Decision, settings: Settings, controller: Controller) -> Decision:
    """A doubt where it is not known how the proxy sends to its backends."""
    if settings.reach is not Reach.UNKNOWN or decision.result is not Result.FORWARDED:
        return decision
    doubt = (
        f"how {controller.product} reaches its backends is not known here: asked as if it sent straight to the "
        "endpoints"
    )
    return replace(decision, doubts=(*decision.doubts, doubt))


def _of_url(wish: HttpWish, cluster: Cluster) -> tuple[Plan, ...]:
    """Every controller that has a rule for the request; all of them where none has."""
    request = _request(wish)
    found = [
        _applied(request, group, cluster) for group in by_controller(_servings(cluster)).values() if group
    ]
    found += [
        _decided(request, world_of(each, cluster), cluster) for each in _rows(cluster.web.gateways) or ()
    ]
    chosen = [each for each in found if each.decision.chosen is not None]
    if not found:
        raise AskError(
            f"Nothing in this cluster takes {request.url}: there is no Ingress that a controller applies and "
            "no Gateway.",
            "kubectl get ingresses,gateways -A",
        )
    return tuple(chosen or found)


def _request(wish: HttpWish) -> HttpRequest:
    overrides = wish.overrides
    try:
        plain = request_of(
            wish.url, method=overrides.method or "GET", headers=overrides.headers, host=overrides.host
        )
    except ValueError as error:
        raise AskError(str(error), "kubectl packetpath https://shop.example.com/cart") from error
    return replace(plain, path=overrides.path) if overrides.path else plain
