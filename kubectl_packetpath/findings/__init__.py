"""What is wrong, as sentences with evidence; each problem has a module and a page of its own."""

from dataclasses import replace

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings import (
    policies_are_not_enforced,
    policies_are_not_programmed,
    rules_deny_what_policies_allow,
)
from kubectl_packetpath.findings.base import Check, Finding, Severity

CHECKS: tuple[Check, ...] = (
    policies_are_not_enforced.CHECK,
    policies_are_not_programmed.CHECK,
    rules_deny_what_policies_allow.CHECK,
)
"""In the order of their codes."""


def findings(answer: Answer, way: Answered) -> tuple[Finding, ...]:
    """All that is found in one way of an answer, alike ones once."""
    found: dict[Finding, tuple[int, ...]] = {}
    for check in CHECKS:
        for each in check.look(answer, way):
            key = replace(each, paths=())
            found[key] = (*found.get(key, ()), *each.paths)
    return tuple(replace(each, paths=paths) for each, paths in found.items())


__all__ = ["CHECKS", "Check", "Finding", "Severity", "findings"]
