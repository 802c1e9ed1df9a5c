"""A node still sends to an endpoint that the API no longer has.

Its proxy is behind: a share of new connections goes to a pod that is gone or not ready, or to whoever has its address
by now.

The message says how long before the look the endpoints had changed; what is younger than half a minute is a
suspicion.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.programmed import chosen_by, compared
from kubectl_packetpath.cluster.question import PROXIED
from kubectl_packetpath.findings.age import age_of, severity_of, told
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.proxies import remedies
from kubectl_packetpath.findings.sight import service_of
from kubectl_packetpath.packet import endpoint
from kubectl_packetpath.trace import Fact, Path, StepKind

PROBLEM = Problem(
    code="PP203",
    id="endpoint-is-gone",
    title="A node still sends to an endpoint that the API no longer has.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """Translated to an address that no EndpointSlice has ready, or serving until it terminates."""
    service = service_of(answer, way)
    if service is None or way.question.way not in PROXIED or not answer.cluster.slices_of(service):
        return
    found = compared(answer.cluster, service, way)
    age = age_of(answer, service, found.node)
    for end in found.gone:
        numbers = tuple(n for n, path in enumerate(way.trace.paths) if chosen_by(path, way) == end)
        pod = answer.cluster.pod_with(end[0])
        who = f", where {pod.full_name} is now" if pod is not None else ""
        yield PROBLEM.found(
            service.full_name,
            f"{found.node} still sends to {endpoint(*end)}{who}: no ready endpoint has this address"
            f"{told(age)}",
            severity=severity_of(age),
            node=found.node,
            namespace="host",
            paths=numbers,
            evidence=tuple(fact for n in numbers[:1] for fact in _choice(way.trace.paths[n])),
            remedy=remedies(found.node),
        )


def _choice(path: Path) -> tuple[Fact, ...]:
    """The rule that changed the destination."""
    for step in path.steps:
        before, after = step.before, step.after
        if step.kind is not StepKind.REWROTE or before is None or after is None:
            continue
        if before.destination != after.destination:
            return step.because
    return ()


CHECK = PROBLEM.check(look)
