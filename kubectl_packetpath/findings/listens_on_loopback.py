"""The program listens on a loopback address only.

Nobody but the pod's own programs reaches 127.0.0.1 there, so a readiness probe by `exec` succeeds while every client is
refused.

Kubernetes: https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#are-the-pods-working
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.listeners import deaf
from kubectl_packetpath.packet import endpoint
from kubectl_packetpath.walk.delivery import socket_fact

PROBLEM = Problem(
    code="PP107",
    id="listens-on-loopback",
    title="The program listens on a loopback address only.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """Refused, with a listener on that very port of a loopback address."""
    for each in deaf(answer, way):
        if not each.loopback:
            continue
        loss, bound = each.loss, each.loopback[0]
        subject = loss.hop.namespace if loss.hop.namespace != "host" else loss.hop.node
        namespace, slash, pod = loss.hop.namespace.partition("/")
        yield PROBLEM.found(
            subject,
            f"{subject} listens on {endpoint(bound.address, bound.port)} only: it has to be told to listen on "
            f"{'::' if bound.address.version == 6 else '0.0.0.0'} or {loss.path.packet.destination}",  # noqa: S104
            **loss.where,
            evidence=tuple(socket_fact(loss.hop.node, socket) for socket in each.loopback),
            remedy=(f"kubectl -n {namespace} get pod {pod} -o yaml",) if slash else ("ss -ltnp",),
        )


CHECK = PROBLEM.check(look)
