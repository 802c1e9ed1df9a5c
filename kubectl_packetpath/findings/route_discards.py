"""A route throws the packet away.

A blackhole, unreachable or prohibit route covers the address and no narrower one leads there: the pod network's daemon
holds a block of addresses whose pods are elsewhere, or has not yet written the route to this one.

Kernel: net/ipv4/fib_frontend.c, fib_props in net/ipv4/fib_semantics.c
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import losses
from kubectl_packetpath.trace import Verdict

PROBLEM = Problem(code="PP304", id="route-discards", title="A route throws the packet away.")
TYPES = ("blackhole", "unreachable", "prohibit", "throw")


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """The route that was chosen is of a type that leads nowhere."""
    for loss in losses(way):
        route = next(
            (fact for fact in loss.facts if fact.section == "route" and fact.text.startswith(TYPES)), None
        )
        if route is None or loss.ending.verdict not in {Verdict.NO_ROUTE, Verdict.DROPPED}:
            continue
        destination = loss.end.packet.innermost.destination
        pod = answer.cluster.pod_with(destination)
        who = f", where {pod.full_name} is on {pod.node}" if pod is not None else ""
        yield PROBLEM.found(
            loss.hop.node,
            f"{loss.hop.node} discards what goes to {destination}{who}: no narrower route leads there",
            **loss.where,
            evidence=(route,),
            remedy=(
                f"ip route get {destination}",
                f"kubectl get pods -A -o wide --field-selector spec.nodeName={loss.hop.node}",
                f"ip route del {' '.join(route.text.split()[:2])}",
            ),
        )


CHECK = PROBLEM.check(look)
