"""A node does not send to an endpoint that the API has.

Its proxy is behind: it lost its watch, fails to load its rules, or has not had the time. The others get its share of
connections; where none is left, the Service is dead through this node alone.

The message says how long before the look the endpoints had changed; what is younger than half a minute is a
suspicion.

Kubernetes: pkg/proxy/topology.go CategorizeEndpoints
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.programmed import chosen_by, compared
from kubectl_packetpath.cluster.question import PROXIED
from kubectl_packetpath.findings.age import age_of, severity_of, told
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.proxies import remedies
from kubectl_packetpath.findings.sight import api, service_of
from kubectl_packetpath.packet import endpoint
from kubectl_packetpath.trace import Verdict

PROBLEM = Problem(
    code="PP202",
    id="endpoint-not-programmed",
    title="A node does not send to an endpoint that the API has.",
)
MOST_NAMED = 3


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """Translated to others, or refused for want of endpoints, while the API has this one ready."""
    service, question = service_of(answer, way), way.question
    if service is None or question.way not in PROXIED:
        return
    paths = [path for path in way.trace.paths if path.weight != 0]
    refused = tuple(n for n, path in enumerate(way.trace.paths) if path.ending.verdict is Verdict.NO_BACKEND)
    found = compared(answer.cluster, service, way)
    seen = refused or any(chosen_by(path, way) is not None for path in paths)
    if not seen or not found.missing:
        return
    missing, age = found.missing, age_of(answer, service, found.node)
    named = ", ".join(endpoint(each.address, each.port) for each in missing[:MOST_NAMED])
    more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
    yield PROBLEM.found(
        service.full_name,
        f"{found.node} does not send to {named}{more}: {len(missing)} of {len(found.promised)} ready endpoints"
        f"{told(age)}",
        severity=severity_of(age),
        node=found.node,
        namespace="host",
        paths=refused,
        evidence=tuple(
            api(f"endpoint {endpoint(each.address, each.port)}", f"ready, pod {each.pod} on {each.node}")
            for each in missing[:MOST_NAMED]
        ),
        remedy=remedies(found.node),
    )


CHECK = PROBLEM.check(look)
