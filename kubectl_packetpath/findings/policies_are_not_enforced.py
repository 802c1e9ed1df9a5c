"""Policies deny a connection that arrives, and nothing in this cluster enforces them.

The API server takes NetworkPolicies whatever the pod network does with them, so a cluster can look closed and be open.
Somebody has to turn them into rules: Calico, Cilium, Antrea, kube-router, kube-network-policies, the AWS network policy
agent and others do; flannel, the bridge and ptp plugins and older kindnet do not. Where DaemonSets may not be read it is
a suspicion only.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/network-policies/#prerequisites
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.policy.drift import passed_though_denied
from kubectl_packetpath.findings.base import Finding, Problem, Severity
from kubectl_packetpath.findings.sight import api

PROBLEM = Problem(
    code="PP501",
    id="policies-are-not-enforced",
    title="Policies deny this connection, and nothing here enforces them.",
)


def look(_answer: Answer, way: Answered) -> Iterator[Finding]:
    """Denied, arrived, and no enforcer was seen."""
    for number, judged in passed_though_denied(way):
        side, enforcement = judged.verdict.deciding, judged.enforcement
        if enforcement.found:
            continue
        yield PROBLEM.found(
            severity=Severity.SUSPICION if enforcement.unseen else Severity.PROBLEM,
            subject=side.pod,
            message=f"{side.reason}; {enforcement.words}",
            remedy=("kubectl get daemonsets -A",),
            evidence=tuple(api(str(policy)) for policy in side.policies),
            paths=(number,),
        )


CHECK = PROBLEM.check(look)
