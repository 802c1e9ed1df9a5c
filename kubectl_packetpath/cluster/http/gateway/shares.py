"""The backends of a rule and the share of requests that each gets.

A backend that is missing or not allowed keeps its share, and that share is answered with an error.

Kubernetes: https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule (backendRefs)
"""

from collections.abc import Iterator
from fractions import Fraction

from kubectl_packetpath.cluster.http.backends import Problem
from kubectl_packetpath.cluster.http.decision import Reference, Share
from kubectl_packetpath.cluster.http.gateway.filters import changes
from kubectl_packetpath.cluster.http.gateway.grants import is_granted, why_not_granted
from kubectl_packetpath.cluster.http.gateway.model import BackendRef, Route, RouteRule
from kubectl_packetpath.cluster.http.gateway.world import GatewayWorld
from kubectl_packetpath.cluster.http.request import HttpRequest

INVALID = 500


def shares_of(
    route: Route, rule: RouteRule, world: GatewayWorld, request: HttpRequest, prefix: str
) -> Iterator[Share]:
    """Each backend that gets requests, with its probability."""
    total = sum(each.weight for each in rule.backends)
    for each in rule.backends:
        if not each.weight:
            continue
        problem = _problem(route, each, world)
        yield Share(
            backend=each.backend,
            weight=Fraction(each.weight, total),
            problem=str(problem) if problem is not None else "",
            status=problem.status if problem is not None else None,
            changes=tuple(changes(each.filters, request, prefix)),
        )


def _problem(route: Route, each: BackendRef, world: GatewayWorld) -> Problem | None:
    target = each.backend.target
    if (target.group, target.kind) != ("", "Service"):
        if target.kind == "ServiceImport":
            return None
        return Problem(text=f"{target} is no Service: only the implementation knows whether it takes it")
    if not _granted(route.reference, target, world):
        if world.grants is None:
            return Problem(text=f"whether {route.reference} may refer to {target} could not be read")
        return Problem(text=why_not_granted(route.reference, target), status=INVALID, missing=True)
    if not each.backend.port:
        return Problem(text=f"the reference to {target} names no port", status=INVALID, missing=True)
    found = world.problem_of(each.backend)
    if found is not None and found.missing:
        return Problem(text=found.text, status=INVALID, missing=True, remedy=found.remedy)
    return found


def _granted(source: Reference, target: Reference, world: GatewayWorld) -> bool:
    return is_granted(source, target, world.grants or ())
