"""Policies in an answer: one short line for people, all of it for programs."""

from collections.abc import Iterator
from typing import Any

from kubectl_packetpath.cluster.answer import Answered
from kubectl_packetpath.cluster.policy.enforcement import Enforcement
from kubectl_packetpath.cluster.policy.judged import Judged
from kubectl_packetpath.cluster.policy.objects import PolicyName
from kubectl_packetpath.cluster.policy.verdict import Looked, Says, Side
from kubectl_packetpath.render.style import clean
from kubectl_packetpath.trace import Path

Json = dict[str, Any]
LOOKS = {Says.ALLOWED: "arrived", Says.DENIED: "lost", Says.UNKNOWN: "unknown"}


def line_of(judged: Judged | None) -> str:
    """`policy: allowed by shop/allow-web rule 1`; empty where no policy selects either end."""
    if judged is None or not judged.verdict.applies:
        return ""
    verdict = judged.verdict
    side = verdict.deciding
    if side.unread and not judged.undecided:
        return ""
    if verdict.says is Says.ALLOWED:
        rules = " and ".join(str(each.by) for each in verdict.sides if each.by is not None)
        told = f"allowed by {rules}" if rules else f"allowed: {side.reason}"
    else:
        told = f"{verdict.says.value}: {side.reason}"
    return clean(f"policy: {told}{_enforced(judged)}")


def _enforced(judged: Judged) -> str:
    if judged.undecided:
        hidden = judged.enforcement.hidden
        places = " and ".join(f"{each.enforcer.name} ({each.enforcer.place})" for each in hidden)
        return f"; enforced unseen by {places}"
    return f"; {judged.enforcement.words}" if judged.verdict.says is not Says.ALLOWED else ""


def details(judged: Judged | None) -> Iterator[str]:
    """What each end says, rule by rule."""
    for side in judged.verdict.sides if judged is not None and judged.verdict.applies else ():
        yield clean(f"{side.direction.value} {side.pod or 'no pod'}: {side.says.value}: {side.reason}")
        for each in side.looked:
            word = {True: "matches", False: "does not match", None: "may match"}[each.holds]
            yield clean(f"  {each.rule} {word}: {each.why}")
        for text in side.assumed:
            yield clean(f"  assumed: {text}")


def shape_of(way: Answered, path: Path) -> tuple[object, ...]:
    """What makes the policies of two paths alike: what they say, and by which rule."""
    judged = way.policy_of(path)
    if judged is None or not judged.verdict.applies:
        return ()
    verdict = judged.verdict
    return (verdict.says, *((side.says, side.by, side.policies) for side in verdict.sides))


def sides_of(judged: Judged) -> list[Json]:
    """Both ends of a path, for programs."""
    return [_side(each) for each in judged.verdict.sides]


def _side(side: Side) -> Json:
    return {
        "direction": side.direction.value,
        "pod": clean(side.pod) or None,
        "says": side.says.value,
        "reason": clean(side.reason),
        "isolated": side.isolated,
        "policies": [_name(each) for each in side.policies],
        "by": None if side.by is None else {**_name(side.by.policy), "rule": side.by.number},
        "rules": [_looked(each) for each in side.looked],
        "assumed": [clean(text) for text in side.assumed],
    }


def _name(policy: PolicyName) -> Json:
    return {"kind": policy.kind, "namespace": clean(policy.namespace) or None, "name": clean(policy.name)}


def _looked(each: Looked) -> Json:
    return {
        **_name(each.rule.policy),
        "rule": each.rule.number,
        "action": each.rule.action.value,
        "matches": each.holds,
        "why": clean(each.why),
    }


def enforcement_of(enforcement: Enforcement) -> Json:
    """Who enforces policies here, for programs."""
    return {
        "enforcers": [
            {
                "name": each.enforcer.name,
                "place": each.enforcer.place,
                "followed": each.enforcer.visible,
                "evidence": [clean(text) for text in each.evidence],
            }
            for each in enforcement.found
        ],
        "networks_without": list(enforcement.networks),
        "not_looked_at": clean(enforcement.unseen) or None,
    }
