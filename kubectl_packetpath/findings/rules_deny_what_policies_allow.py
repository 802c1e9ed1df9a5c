"""Policies allow a connection, and a rule of their enforcer stops it: drift.

The rules may be older than the policies, or left behind by an enforcer that is gone; or the enforcer has policies of
its own kinds (GlobalNetworkPolicy and the like), which are not looked at here. Where no enforcer of that name runs, its
chains are left over: remove them with its own uninstall instructions, or start the node anew.
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.policy.verdict import Says
from kubectl_packetpath.dialects.cnis.calico import policy_named
from kubectl_packetpath.findings.base import Finding, Problem, Severity
from kubectl_packetpath.trace import Path

PROBLEM = Problem(
    code="PP503",
    id="rules-deny-what-policies-allow",
    title="Policies allow this connection, and a rule of their enforcer stops it: drift.",
)


def look(_answer: Answer, way: Answered) -> Iterator[Finding]:
    """Allowed, and dropped or rejected in an enforcer's chain."""
    for number, (path, judged) in enumerate(zip(way.trace.paths, way.policies, strict=False)):
        if judged is None or judged.verdict.says is not Says.ALLOWED or not judged.stopped_by:
            continue
        side = judged.verdict.deciding
        here = any(each.enforcer.name == judged.stopped_by for each in judged.enforcement.found)
        yield PROBLEM.found(
            severity=Severity.PROBLEM if here else Severity.SUSPICION,
            subject=judged.verdict.ingress.pod or judged.verdict.egress.pod,
            message=f"{side.reason}; a rule of {judged.stopped_by} stops it{_whose(path)}: {path.ending.reason}",
            node=path.hops[-1].node,
            namespace=path.hops[-1].namespace,
            remedy=(f"kubectl get pods -A -o wide --field-selector spec.nodeName={path.hops[-1].node}",),
            evidence=path.hops[-1].steps[-1].because,
            paths=(number,),
        )


def _whose(path: Path) -> str:
    """`, that of Calico's policy default.quarantine`, where the rule's comment says so."""
    names = (policy_named(fact.text) for fact in path.hops[-1].steps[-1].because)
    return next((f", that of {name}" for name in names if name), "")


CHECK = PROBLEM.check(look)
