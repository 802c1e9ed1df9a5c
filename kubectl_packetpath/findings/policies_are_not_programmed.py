"""Policies deny a connection, an enforcer is here, and its rules let the connection pass: drift.

An enforcer that hangs, or lost its watch on the API, leaves rules of yesterday. So does one whose own policies, which
are not looked at here, come before those of the API.
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.policy.drift import passed_though_denied
from kubectl_packetpath.findings.base import Finding, Problem, Severity
from kubectl_packetpath.findings.sight import api

PROBLEM = Problem(
    code="PP502",
    id="policies-are-not-programmed",
    title="Policies deny this connection, and the rules that enforce them let it pass: drift.",
)


def look(_answer: Answer, way: Answered) -> Iterator[Finding]:
    """Denied, arrived, and the enforcer works by rules that the walk followed."""
    for number, judged in passed_though_denied(way):
        side, enforcement = judged.verdict.deciding, judged.enforcement
        if not enforcement.visible or enforcement.hidden:
            continue
        names = " and ".join(each.enforcer.name for each in enforcement.visible)
        policy = side.policies[0]
        namespace = f" -n {policy.namespace}" if policy.namespace else ""
        yield PROBLEM.found(
            severity=Severity.PROBLEM,
            subject=side.pod,
            message=f"{side.reason}; the rules of {names} let it pass",
            remedy=(f"kubectl{namespace} describe {policy.kind.lower()} {policy.name}",),
            evidence=tuple(api(text) for each in enforcement.visible for text in each.evidence),
            paths=(number,),
        )


CHECK = PROBLEM.check(look)
