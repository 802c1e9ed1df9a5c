"""Requests that stand for an object: one for each host and path that it names.

A wildcard is asked for with `www`, an expression with nothing made up: such rules are left to the user, who knows what
a path of theirs looks like.
"""

from collections.abc import Iterator
from dataclasses import replace

from kubectl_packetpath.cluster.http.asking import Overrides
from kubectl_packetpath.cluster.http.gateway.attachment import Attachment
from kubectl_packetpath.cluster.http.gateway.model import Match
from kubectl_packetpath.cluster.http.hosts import covers_one_label
from kubectl_packetpath.cluster.http.model import Ingress
from kubectl_packetpath.cluster.http.request import HttpRequest, bare_host

SCHEMES = {"HTTP": "http", "HTTPS": "https", "TLS": "tls"}
ANY_HOST = "any.example"
"""Stands for a host that no rule names."""


def host_for(pattern: str) -> str:
    """A host that a pattern covers."""
    if not pattern or pattern == "*":
        return ANY_HOST
    return f"www{pattern[1:]}" if pattern.startswith("*.") else pattern


def of_ingress(ingress: Ingress, overrides: Overrides) -> Iterator[HttpRequest]:
    """One for each path; the scheme is HTTPS where the Ingress has TLS for the host."""
    if overrides.is_one_request or not ingress.rules:
        first = ingress.rules[0].host if ingress.rules else ""
        yield _asked(ingress, overrides.host or host_for(first), overrides.path or "/", overrides)
        return
    for rule in ingress.rules:
        host = host_for(rule.host)
        if not rule.paths:
            yield _asked(ingress, host, "/", overrides)
        for each in rule.paths:
            yield _asked(ingress, host, plain_path(each.path), overrides)


def _asked(ingress: Ingress, host: str, path: str, overrides: Overrides) -> HttpRequest:
    host = bare_host(host)
    secure = any(covers_one_label(each, host) for entry in ingress.tls for each in entry.hosts)
    scheme, port = ("https", 443) if secure else ("http", 80)
    return changed(HttpRequest(scheme=scheme, host=host, path=path, port=port), overrides)


def changed(request: HttpRequest, overrides: Overrides) -> HttpRequest:
    """With the method and the headers that the user says."""
    named = {name.lower(): value for name, value in overrides.headers}
    headers = tuple((name.lower(), value) for name, value in overrides.headers if name.lower() != "host")
    return replace(
        request,
        method=overrides.method.upper() or request.method,
        headers=(*(pair for pair in request.headers if pair[0] not in named), *headers),
        host=bare_host(named["host"]) if "host" in named else request.host,
    )


def plain_path(path: str) -> str:
    """The beginning of a path up to where it stops being text."""
    for place, letter in enumerate(path):
        if letter in "^*+?()[]{}|\\$":
            path = path[:place]
            break
    return path if path.startswith("/") else f"/{path}"


def of_attachment(each: Attachment, overrides: Overrides) -> Iterator[HttpRequest]:
    """One for each rule of a route at a listener."""
    hostname = each.hostnames[0] if each.hostnames else each.listener.hostname
    scheme = SCHEMES.get(each.listener.protocol)
    if scheme is None:
        return
    if each.route.kind == "GRPCRoute":
        scheme = "grpcs" if scheme == "https" else "grpc"
    plain = HttpRequest(
        scheme=scheme, host=bare_host(overrides.host) or host_for(hostname), port=each.listener.port
    )
    if overrides.is_one_request or scheme == "tls":
        yield changed(replace(plain, path=overrides.path or "/"), overrides)
        return
    for rule in each.route.rules:
        if rule.matches:
            yield changed(meeting(plain, rule.matches[0]), overrides)


def meeting(request: HttpRequest, match: Match) -> HttpRequest:
    """The request with what a match asks for."""
    path = plain_path(match.path.value)
    if match.grpc is not None:
        path = f"/{match.grpc.service or 'any.Service'}/{match.grpc.method or 'Any'}"
    return replace(
        request,
        path=path,
        method=match.method or ("POST" if match.grpc is not None else request.method),
        headers=tuple((each.name, each.value) for each in match.headers if not each.is_expression),
        query=tuple((each.name, each.value) for each in match.parameters if not each.is_expression),
    )
