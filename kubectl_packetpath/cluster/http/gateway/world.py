"""Everything that decides what a Gateway does with a request."""

from collections.abc import Callable
from dataclasses import dataclass

from kubectl_packetpath.cluster.http.backends import Problem
from kubectl_packetpath.cluster.http.decision import Backend
from kubectl_packetpath.cluster.http.gateway.attachment import Labels
from kubectl_packetpath.cluster.http.gateway.model import Gateway, GatewayClass, Grant, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayManner:
    """How an implementation fills what the specification leaves open; None: not known."""

    isolates: bool | None = None
    """A request that one listener's host takes is never routed by another listener's routes."""
    falls_through: bool | None = None
    """A path that the nearest host's routes do not take is tried with those of wider hosts."""
    expressions_rank: bool = False
    """Expressions come after exact paths and before prefixes, the longest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayWorld:
    """One Gateway and what is around it."""

    gateway: Gateway
    gateway_class: GatewayClass | None = None
    routes: tuple[Route, ...] = ()
    grants: tuple[Grant, ...] | None = ()
    """None: they could not be read."""
    labels: Labels | None = None
    """Of namespaces; None: they could not be read."""
    problem_of: Callable[[Backend], Problem | None] = lambda _: None
    manner: GatewayManner = GatewayManner()
