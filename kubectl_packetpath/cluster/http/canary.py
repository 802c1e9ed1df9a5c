"""Canary Ingresses of ingress-nginx: a second Ingress for the same host and path that takes a part of the requests.

By header first, then by cookie, then by weight.

Documented behaviour: https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#canary
"""

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from kubectl_packetpath.cluster.http.backends import Problem
from kubectl_packetpath.cluster.http.decision import Considered, Decision, Fate, Result, Share
from kubectl_packetpath.cluster.http.ingress import ProblemOf
from kubectl_packetpath.cluster.http.model import Ingress, IngressPath
from kubectl_packetpath.cluster.http.paths import expression_matches
from kubectl_packetpath.cluster.http.request import HttpRequest
from kubectl_packetpath.cluster.http.settings import is_true

PREFIX = "nginx.ingress.kubernetes.io"
CANARY = f"{PREFIX}/canary"


def is_canary(ingress: Ingress) -> bool:
    """Whether an Ingress only takes a part of what another one serves."""
    return is_true(ingress, CANARY)


def with_canaries(decision: Decision, canaries: Iterable[Ingress], problem_of: ProblemOf) -> Decision:
    """The decision with the share that a canary takes from the rule that was chosen."""
    if decision.chosen is None or not decision.shares:
        return decision
    for ingress in sorted(canaries, key=lambda each: each.age):
        path = _same_place(decision, ingress)
        if path is None:
            continue
        part, why = share_of(ingress, decision.request)
        return _split(decision, ingress, path, (part, why), problem_of(path.backend))
    return decision


def _same_place(decision: Decision, ingress: Ingress) -> IngressPath | None:
    chosen = decision.chosen
    for rule in ingress.rules:
        for path in rule.paths:
            words = f"{rule.host.lower() or 'any host'} {path.path or '/'} ("
            if chosen is not None and chosen.words.startswith(words):
                return path
    return None


def share_of(ingress: Ingress, request: HttpRequest) -> tuple[Fraction, str]:
    """The part of such requests that the canary takes, and why."""
    by_header = ingress.annotation(f"{PREFIX}/canary-by-header")
    if by_header:
        answer = _by_header(ingress, by_header, request.header(by_header))
        if answer is not None:
            return Fraction(int(answer)), f"by header {by_header}"
    cookie = ingress.annotation(f"{PREFIX}/canary-by-cookie")
    if cookie:
        value = _cookie(request, cookie)
        if value in {"always", "never"}:
            return Fraction(int(value == "always")), f"by cookie {cookie}"
    total = _number(ingress, "canary-weight-total", 100) or 100
    weight = min(_number(ingress, "canary-weight", 0), total)
    return Fraction(weight, total), f"by weight {weight} of {total}"


def _by_header(ingress: Ingress, name: str, given: str | None) -> bool | None:
    if given is None:
        return None
    wanted = ingress.annotation(f"{PREFIX}/canary-by-header-value")
    if wanted is not None:
        return True if given == wanted else None
    pattern = ingress.annotation(f"{PREFIX}/canary-by-header-pattern")
    if pattern is not None:
        return True if expression_matches(f".*(?:{pattern}).*", given) else None
    return {"always": True, "never": False}.get(given) if name else None


def _cookie(request: HttpRequest, name: str) -> str:
    for each in (request.header("cookie") or "").split(";"):
        key, _, value = each.strip().partition("=")
        if key == name:
            return value
    return ""


def _number(ingress: Ingress, name: str, otherwise: int) -> int:
    text = (ingress.annotation(f"{PREFIX}/{name}") or "").strip()
    return int(text) if text.isdigit() else otherwise


def _split(
    decision: Decision,
    ingress: Ingress,
    path: IngressPath,
    taken: tuple[Fraction, str],
    problem: Problem | None,
) -> Decision:
    part, why = taken
    told = Considered(
        source=ingress.reference,
        place="canary",
        words=f"takes a part of what {decision.chosen and decision.chosen.source} serves",
        fate=Fate.CHOSEN if part else Fate.NOT_MATCHED,
        why=f"{why}: {part}",
    )
    own = Share(
        backend=path.backend,
        weight=part,
        problem=str(problem) if problem is not None else "",
        status=problem.status if problem is not None else None,
    )
    rest = [replace(each, weight=each.weight * (1 - part)) for each in decision.shares]
    shares = tuple(each for each in (*rest, own) if each.weight)
    good = any(each.status is None for each in shares)
    return replace(
        decision,
        shares=shares,
        result=Result.FORWARDED if good else decision.result,
        status=None if good else decision.status,
        considered=(*decision.considered, told),
    )
