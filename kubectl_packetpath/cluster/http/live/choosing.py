"""Which route of an Envoy's own configuration takes a request.

The nearest domain first, then the first route that matches; never a guess: where a route before it asks for something that is
not decided here, nothing is said.

Source: api/envoy/config/route/v3/route_components.proto: VirtualHost.domains, RouteMatch
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from kubectl_packetpath.cluster.http.live.model import (
    Condition,
    Listening,
    Loaded,
    LoadedRoute,
    Match,
    RouteTable,
    VirtualHost,
)
from kubectl_packetpath.cluster.http.request import HttpRequest
from kubectl_packetpath.packet import Address

LABEL = re.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?")
CHANGED_FIRST = ("//", "/.", "%", "\\")
"""A path with these is changed before it is compared."""


class Found(StrEnum):
    """How the search ends."""

    ROUTE = "a route"
    NO_ROUTE = "no route"
    UNDECIDED = "not decided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The route that takes a request, or why there is none."""

    found: Found
    table: str = ""
    route: LoadedRoute | None = None
    why: str = ""


def listeners_on(loaded: Loaded, port: int, addresses: Iterable[Address]) -> tuple[Listening, ...]:
    """Those that take connections from outside of the pod on this port."""
    own = set(addresses)
    return tuple(
        each
        for each in loaded.listeners
        if each.port == port and (each.address.is_unspecified or each.address in own)
    )


def choose(loaded: Loaded, listener: Listening, request: HttpRequest) -> Choice:
    """The route that takes a request which comes in by a listener."""
    if any(text in request.path for text in CHANGED_FIRST):
        return Choice(found=Found.UNDECIDED, why=f"{request.path} is changed before it is compared")
    names = tuple(_tables(listener.name, request))
    table = next((each for name in names for each in loaded.tables if each.name == name), None)
    if table is None and request.is_tls and any("fallback" in each.name for each in loaded.tables):
        return Choice(found=Found.UNDECIDED, why="a certificate of last resort has routes of its own")
    if table is None:
        return Choice(found=Found.NO_ROUTE, table=names[0], why=f"there is no route configuration {names[0]}")
    host = _nearest(table, request.host)
    if host is None:
        return Choice(
            found=Found.NO_ROUTE,
            table=table.name,
            why=f"no virtual host has the domain {request.host or '*'}",
        )
    if host.requires_tls:
        return Choice(found=Found.UNDECIDED, table=table.name, why="the virtual host asks for TLS")
    return _first(table, host, request)


def _tables(listener: str, request: HttpRequest) -> Iterator[str]:
    """Names of route configurations, as Contour gives them: the listener's, and with TLS one for each virtual host."""
    if not request.is_tls:
        yield listener
        return
    base = listener.removeprefix("ingress_")
    yield f"{base}/{request.sni}"
    _, dot, parent = request.sni.partition(".")
    if dot:
        yield f"{base}/*.{parent}"
    yield f"{base}/*"


def _nearest(table: RouteTable, host: str) -> VirtualHost | None:
    """Exact, then the longest that begins with a star, then the longest that ends with one, then the star alone."""
    best: tuple[int, int] = (0, 0)
    found = None
    for each in table.hosts:
        for domain in each.domains:
            rank = _rank(domain.lower(), host)
            if rank > best:
                best, found = rank, each
    return found


def _rank(domain: str, host: str) -> tuple[int, int]:
    if domain == "*":
        return (1, 1)
    if domain.startswith("*"):
        return (3, len(domain)) if host.endswith(domain[1:]) and len(host) >= len(domain) else (0, 0)
    if domain.endswith("*"):
        return (2, len(domain)) if host.startswith(domain[:-1]) and len(host) >= len(domain) else (0, 0)
    return (4, len(domain)) if domain == host else (0, 0)


def _first(table: RouteTable, host: VirtualHost, request: HttpRequest) -> Choice:
    for route in host.routes:
        takes = matches(route.match, request)
        if takes is None:
            return Choice(
                found=Found.UNDECIDED,
                table=table.name,
                why=f"whether {route.match} takes it, Envoy alone knows",
            )
        if takes:
            return Choice(found=Found.ROUTE, table=table.name, route=route)
    return Choice(
        found=Found.NO_ROUTE,
        table=table.name,
        why=f"no route of virtual host {', '.join(host.domains[:3])} takes {request.path}",
    )


def matches(match: Match, request: HttpRequest) -> bool | None:
    """Whether a route takes a request; None: that is not decided here."""
    told = [_path(match, request.path), *(_holds(each, request) for each in match.conditions)]
    if False in told:
        return False
    return None if None in told or match.more else True


def _path(match: Match, path: str) -> bool | None:
    value = match.value
    if not match.case_sensitive:
        path, value = path.lower(), value.lower()
    if match.kind == "path":
        return path == value
    if match.kind == "prefix":
        return path.startswith(value)
    if match.kind == "path_separated_prefix":
        return path == value or path.startswith(f"{value}/")
    return None


def _holds(condition: Condition, request: HttpRequest) -> bool | None:
    if condition.place == "query":
        given = request.parameter(condition.name)
    elif condition.name == ":method":
        given = request.method
    elif condition.name == ":authority":
        given = request.host
    elif condition.name.startswith(":"):
        return None
    else:
        given = request.header(condition.name)
    held = _compared(condition, given)
    return None if held is None else held != condition.inverted


def _compared(condition: Condition, given: str | None) -> bool | None:
    if condition.how == "present":
        return given is not None
    compare = _COMPARED.get(condition.how)
    if compare is None:
        return None
    return given is not None and compare(given, condition.value)


_COMPARED: dict[str, Callable[[str, str], bool]] = {
    "exact": str.__eq__,
    "prefix": str.startswith,
    "suffix": str.endswith,
    "contains": str.__contains__,
    "one label and": lambda given, rest: (
        given.endswith(rest) and LABEL.fullmatch(given.removesuffix(rest)) is not None
    ),
}
