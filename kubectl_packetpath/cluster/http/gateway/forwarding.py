"""From the rule that was chosen to what becomes of the request: filters, backends, timeouts.

Kubernetes: https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule
"""

from dataclasses import replace

from kubectl_packetpath.cluster.http.decision import Decision, Result, Share
from kubectl_packetpath.cluster.http.gateway.attachment import Attachment
from kubectl_packetpath.cluster.http.gateway.filters import (
    changes,
    redirect_of,
    redirection,
    unknown_filters,
)
from kubectl_packetpath.cluster.http.gateway.matching import prefix_of
from kubectl_packetpath.cluster.http.gateway.model import Match, RouteRule
from kubectl_packetpath.cluster.http.gateway.shares import INVALID, shares_of
from kubectl_packetpath.cluster.http.gateway.world import GatewayWorld


def forwarded(
    decision: Decision, attachment: Attachment, rule: RouteRule, match: Match, world: GatewayWorld
) -> Decision:
    """The decision with its end."""
    prefix = prefix_of(match)
    request = decision.request
    told = (
        *changes(rule.filters, request, prefix),
        *(f"timeout {name}: {value}" for name, value in rule.timeouts),
        *([f"a session stays with its backend ({rule.persistence})"] if rule.persistence else []),
    )
    decision = replace(decision, changes=told, doubts=(*decision.doubts, *unknown_filters(rule.filters)))
    redirect = redirect_of(rule.filters)
    if redirect is not None:
        status, location = redirection(redirect, request, attachment.listener.port, prefix)
        return replace(decision, result=Result.REDIRECTED, status=status, location=location)
    shares = tuple(shares_of(attachment.route, rule, world, request, prefix))
    return _with_shares(decision, rule, shares)


def _with_shares(decision: Decision, rule: RouteRule, shares: tuple[Share, ...]) -> Decision:
    if not shares:
        why = "all weights are 0" if rule.backends else "the rule names no backend"
        reason = f"{decision.reason}: {why}"
        if unknown_filters(rule.filters):
            return replace(decision, result=Result.UNKNOWN, reason=reason)
        return replace(decision, result=Result.ANSWERED, status=INVALID, reason=reason)
    unclear = [each.problem for each in shares if each.problem and each.status is None]
    decision = replace(decision, shares=shares, doubts=(*decision.doubts, *unclear))
    statuses = {each.status for each in shares}
    if None in statuses:
        return decision
    status = statuses.pop() if len(statuses) == 1 else None
    problems = "; ".join(dict.fromkeys(each.problem for each in shares))
    return replace(decision, result=Result.ANSWERED, status=status, reason=f"{decision.reason}: {problems}")
