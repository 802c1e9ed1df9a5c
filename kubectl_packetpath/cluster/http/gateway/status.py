"""What controllers say of a Gateway, a listener and a route, where they say that something is wrong.

Kubernetes: https://gateway-api.sigs.k8s.io/reference/spec/#gatewayconditiontype
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.http.decision import Reference
from kubectl_packetpath.cluster.http.gateway.model import Condition, Listener, Route
from kubectl_packetpath.cluster.http.gateway.world import GatewayWorld

WANTED = ("Accepted", "Programmed", "ResolvedRefs")
NOT_WANTED = ("Conflicted", "PartiallyInvalid", "OverlappingTLSConfig")


def told_of(world: GatewayWorld, listener: Listener | None, route: Route | None) -> tuple[str, ...]:
    """One sentence for each thing that a controller finds wrong, or has not looked at."""
    return tuple(dict.fromkeys(_told(world, listener, route)))


def _told(world: GatewayWorld, listener: Listener | None, route: Route | None) -> Iterator[str]:
    gateway = world.gateway
    if world.gateway_class is None:
        yield f"{gateway.reference} names GatewayClass {gateway.class_name}, which does not exist: no controller serves it"
    else:
        name = Reference(kind="GatewayClass", name=world.gateway_class.name)
        yield from _problems(str(name), world.gateway_class.conditions, None)
    yield from _problems(str(gateway.reference), gateway.conditions, gateway.generation)
    if not gateway.conditions:
        yield f"no controller has said anything of {gateway.reference}"
    if listener is not None:
        yield from _problems(f"listener {listener.name}", listener.conditions, gateway.generation)
    if route is not None:
        yield from _of_route(world, route)


def _of_route(world: GatewayWorld, route: Route) -> Iterator[str]:
    own = world.gateway.reference
    mine = [
        each
        for each in route.statuses
        if (each.parent.target.namespace, each.parent.target.name) == (own.namespace, own.name)
    ]
    if world.gateway_class is not None:
        mine = [each for each in mine if each.controller == world.gateway_class.controller]
    if not mine:
        yield f"the controller has not said that {route.reference} is attached to {own}"
    for each in mine:
        yield from _problems(str(route.reference), each.conditions, route.generation)


def _problems(what: str, conditions: tuple[Condition, ...], generation: int | None) -> Iterator[str]:
    for each in conditions:
        bad = (each.type in WANTED and each.status != "True") or (
            each.type in NOT_WANTED and each.status == "True"
        )
        if bad:
            message = f": {each.message}" if each.message else ""
            yield f"{what} is {each.type}={each.status} ({each.reason}){message}"
        seen = each.observed_generation
        if each.type == "Accepted" and generation is not None and seen is not None and seen < generation:
            yield f"the controller has not seen the last change of {what} yet"
