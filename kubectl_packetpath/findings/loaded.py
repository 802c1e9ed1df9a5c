"""Differences between what a proxy has loaded and what the objects promise, for the checks about them."""

from collections.abc import Iterator

from kubectl_packetpath.cluster.http.live.drift import Parting, View
from kubectl_packetpath.findings.base import Finding, Problem, Severity


def of_view(problem: Problem, parting: Parting, view: View) -> Iterator[Finding]:
    """Each difference of one kind, as a finding about the proxy."""
    for drift in view.drifts:
        if drift.parting is parting:
            yield problem.found(
                view.pod,
                drift.message,
                severity=Severity.SUSPICION if drift.family == "unknown" else Severity.PROBLEM,
                node=view.node,
                namespace=view.pod,
                evidence=drift.evidence,
                remedy=drift.remedy,
            )
