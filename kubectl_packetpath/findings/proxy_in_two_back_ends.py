"""A proxy has rules in both back ends of iptables.

A proxy that was started with another iptables program writes anew and leaves its old rules behind. Both are obeyed, and
only one of them is kept up to date.

Kubernetes: https://github.com/kubernetes-sigs/iptables-wrappers
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem, Severity
from kubectl_packetpath.trace import Fact

PROBLEM = Problem(
    code="PP204",
    id="proxy-in-two-back-ends",
    title="A proxy has rules in both back ends of iptables.",
)
LEGACY, NFT = "iptables-legacy", "iptables-nft"


def look(_answer: Answer, way: Answered) -> Iterator[Finding]:
    """The packet went through chains of kube-proxy in the legacy tables and in those of nft."""
    seen: dict[str, dict[str, Fact]] = {}
    for path in way.trace.paths:
        for hop in path.hops:
            for fact in (fact for step in hop.steps for fact in step.because):
                if fact.section in {LEGACY, NFT} and "KUBE-" in f"{fact.key} {fact.text}":
                    seen.setdefault(hop.node, {}).setdefault(fact.section, fact)
    for node, facts in sorted(seen.items()):
        if len(facts) == 2:
            yield PROBLEM.found(
                node,
                f"packets go through rules of kube-proxy in the legacy and in the nft tables of {node}",
                severity=Severity.SUSPICION,
                node=node,
                namespace="host",
                evidence=(facts[LEGACY], facts[NFT]),
                remedy=(
                    "iptables-legacy-save | grep -c KUBE-; iptables-nft-save | grep -c KUBE-",
                    "iptables-legacy-save | grep -v KUBE- | iptables-legacy-restore",
                ),
            )


CHECK = PROBLEM.check(look)
