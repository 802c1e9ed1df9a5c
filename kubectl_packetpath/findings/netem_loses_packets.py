"""A device loses packets on purpose: a netem discipline sits on it.

Chaos experiments (Chaos Mesh, Litmus, Pumba) and network labs put it there, and when they are cut short it stays. TCP sends
again what is lost, so connections are slow rather than dead, until so much is lost that they time out.

Kernel: net/sched/sch_netem.c
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import losses
from kubectl_packetpath.trace import Verdict

PROBLEM = Problem(
    code="PP313",
    id="netem-loses-packets",
    title="A device loses packets on purpose, by a netem discipline.",
)


def look(_answer: Answer, way: Answered) -> Iterator[Finding]:
    """A way that ends at such a device."""
    for loss in losses(way):
        facts = tuple(fact for fact in loss.facts if fact.section == "qdisc")
        if loss.ending.verdict is not Verdict.DROPPED or not facts:
            continue
        device = facts[0].key.split()[1]
        yield PROBLEM.found(
            loss.hop.node,
            loss.ending.reason,
            **loss.where,
            evidence=facts,
            remedy=(
                f"tc -s qdisc show dev {device}",
                "kubectl get networkchaos -A",
                f"tc qdisc delete dev {device} root",
            ),
        )


CHECK = PROBLEM.check(look)
