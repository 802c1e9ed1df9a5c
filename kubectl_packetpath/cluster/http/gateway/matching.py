"""Whether a request meets the conditions of a match, and how one match ranks before another.

Kubernetes: https://gateway-api.sigs.k8s.io/reference/spec/#httproutematch,
https://gateway-api.sigs.k8s.io/reference/spec/#grpcroutematch
"""

from dataclasses import dataclass

from kubectl_packetpath.cluster.http.gateway.model import GrpcMethodMatch, Match, PathMatch, ValueMatch
from kubectl_packetpath.cluster.http.manner import PathManner
from kubectl_packetpath.cluster.http.paths import expression_matches, path_matches
from kubectl_packetpath.cluster.http.request import HttpRequest

MANNERS = {"Exact": PathManner.EXACT, "PathPrefix": PathManner.PREFIX, "RegularExpression": PathManner.REGEX}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Whether a match holds; None: that cannot be said from here."""

    holds: bool | None
    why: str


HOLDS = Trial(holds=True, why="")


def tried(match: Match, request: HttpRequest) -> Trial:
    """The first condition that is not met, or that nobody can decide."""
    trials = [_path(match.path, request) if match.grpc is None else _grpc(match.grpc, request)]
    if match.method and match.method != request.method:
        trials.append(Trial(holds=False, why=f"the method is {request.method}, not {match.method}"))
    trials += [_value("header", each, request.header(each.name)) for each in match.headers]
    trials += [_value("query parameter", each, request.parameter(each.name)) for each in match.parameters]
    failed = [each for each in trials if each.holds is False]
    undecided = [each for each in trials if each.holds is None]
    return (*failed, *undecided, HOLDS)[0]


def _path(path: PathMatch, request: HttpRequest) -> Trial:
    manner = MANNERS.get(path.type, PathManner.UNKNOWN)
    holds = path_matches(manner, path.value, request.path)
    if holds is None:
        return Trial(holds=None, why=f"whether {request.path} matches {path.value} is not known")
    return HOLDS if holds else Trial(holds=False, why=f"{request.path} does not match, compared {manner}")


def _grpc(wanted: GrpcMethodMatch, request: HttpRequest) -> Trial:
    service, _, method = request.path.removeprefix("/").partition("/")
    for what, pattern, given in (("service", wanted.service, service), ("method", wanted.method, method)):
        if not pattern:
            continue
        holds = expression_matches(pattern, given) if wanted.is_expression else pattern == given
        if holds is None:
            return Trial(holds=None, why=f"whether the {what} {given} matches {pattern} is not known")
        if not holds:
            return Trial(holds=False, why=f"the {what} is {given or 'not named'}, not {pattern}")
    return HOLDS


def _value(what: str, wanted: ValueMatch, given: str | None) -> Trial:
    if given is None:
        return Trial(holds=False, why=f"there is no {what} {wanted.name}")
    if not wanted.is_expression:
        if given == wanted.value:
            return HOLDS
        return Trial(holds=False, why=f"the {what} {wanted.name} is {given}, not {wanted.value}")
    holds = expression_matches(wanted.value, given)
    if holds is None:
        return Trial(holds=None, why=f"whether the {what} {wanted.name} matches {wanted.value} is not known")
    return HOLDS if holds else Trial(holds=False, why=f"the {what} {wanted.name} is {given}: no match")


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Rank:
    """Sorts matches: what comes first is smaller."""

    kind: int
    """Exact, then expressions (which the specification leaves open), then prefixes."""
    path: int
    grpc_method: int
    method: int
    headers: int
    parameters: int


def rank(match: Match) -> Rank:
    """As the specification orders matches."""
    if match.grpc is not None:
        kind, path, grpc_method = 0, -len(match.grpc.service), -len(match.grpc.method)
    else:
        kind = {"Exact": 0, "RegularExpression": 1}.get(match.path.type, 2)
        path, grpc_method = (-len(match.path.value.rstrip("/")) if kind else 0), 0
    return Rank(
        kind=kind,
        path=path,
        grpc_method=grpc_method,
        method=0 if match.method else 1,
        headers=-len(match.headers),
        parameters=-len(match.parameters),
    )


REASONS = {
    "kind": "an exact path comes before other kinds of paths",
    "path": "its path is longer",
    "grpc_method": "its gRPC method is longer",
    "method": "it names the method",
    "headers": "it names more headers",
    "parameters": "it names more query parameters",
}


def why_first(first: Match, other: Match) -> str:
    """In which point one match comes before another; empty: in none."""
    one, two = rank(first), rank(other)
    return next((why for name, why in REASONS.items() if getattr(one, name) != getattr(two, name)), "")


def words_of(match: Match) -> str:
    """A match for people."""
    if match.grpc is not None:
        parts = [f"gRPC {match.grpc.service or '*'}/{match.grpc.method or '*'}"]
    else:
        parts = [f"{match.path.value} ({match.path.type})"]
    if match.method:
        parts.append(match.method)
    parts += [f"header {each}" for each in match.headers]
    parts += [f"query {each}" for each in match.parameters]
    return ", ".join(parts)


def prefix_of(match: Match) -> str:
    """The prefix that a rewrite replaces; empty where there is none."""
    return match.path.value if match.grpc is None and match.path.type == "PathPrefix" else ""
