"""Nobody answers for the address of the next hop.

The node behind it is down, the link is cut, or the address has moved: the kernel asked by ARP or neighbour discovery and
gave up.

Kernel: net/core/neighbour.c, NUD_FAILED
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import losses
from kubectl_packetpath.trace import Verdict

PROBLEM = Problem(
    code="PP305",
    id="neighbour-is-silent",
    title="Nobody answers for the address of the next hop.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """The link address of the next hop could not be found."""
    for loss in () if way.question.nowhere else losses(way):
        if loss.ending.verdict is not Verdict.NO_NEIGHBOUR or loss.filtered:
            continue
        entry = next((fact for fact in loss.facts if fact.section == "neighbour"), None)
        words = entry.text.split() if entry is not None else []
        asked = next((n for n in answer.cluster.nodes if words and words[0] in map(str, n.addresses)), None)
        destination = loss.end.packet.destination
        pod = answer.cluster.pod_with(destination)
        if asked is not None:
            who = f"{words[0]} is {asked.name}, which is {'ready' if asked.ready else 'not ready'}"
        elif pod is not None:
            who = f"{destination} is the pod {pod.full_name} on {pod.node}"
        else:
            who = f"the API knows nobody with {words[0] if words else destination}"
        failed = "; the kernel has asked and given up" if "FAILED" in words else ""
        yield PROBLEM.found(
            loss.hop.node,
            f"{who}{failed}",
            **loss.where,
            evidence=loss.facts,
            remedy=tuple(
                text
                for text in (
                    loss.ending.remedy,
                    f"kubectl describe node {asked.name}" if asked is not None else "",
                    f"kubectl -n {pod.namespace} get pod {pod.name} -o wide" if pod is not None else "",
                )
                if text
            ),
        )


CHECK = PROBLEM.check(look)
