"""A node has no rule for the Service.

Its proxy does not run, lost its watch on the API, fails to load its rules, or somebody flushed them: connections to the
Service's address leave untranslated and reach nobody. In iptables mode kube-proxy looks only at a canary chain of each
table to notice a flush.

Kubernetes: pkg/proxy/iptables/proxier.go syncProxyRules, pkg/util/iptables/monitor
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.programmed import chosen_by, promised
from kubectl_packetpath.cluster.question import PROXIED
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.proxies import remedies, traces_of_proxy
from kubectl_packetpath.findings.sight import api, losses, service_of
from kubectl_packetpath.trace import Verdict

PROBLEM = Problem(
    code="PP201",
    id="service-not-programmed",
    title="A node has no rule for the Service.",
)
BY_RULE = {Verdict.DROPPED, Verdict.REJECTED, Verdict.NO_BACKEND}


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """Lost past the node's own rules with the Service's address still on it, though endpoints should be chosen there."""
    service, question = service_of(answer, way), way.question
    if service is None or question.way not in PROXIED or not promised(service, way, answer.cluster):
        return
    node = question.start.node
    for loss in losses(way):
        passed = any(hop.node == node and hop.namespace == "host" for hop in loss.path.hops)
        if not passed or chosen_by(loss.path, way) is not None or loss.ending.verdict in BY_RULE:
            continue
        yield PROBLEM.found(
            service.full_name,
            f"{node} has no rule for {question.target}, though {service.full_name} has "
            f"{len(question.expected)} ready endpoints{traces_of_proxy(way, node)}",
            **loss.where | {"node": node, "namespace": "host"},
            evidence=(
                api(f"Service {service.full_name}", f"{len(question.expected)} ready endpoints"),
                *loss.facts,
            ),
            remedy=remedies(node),
        )


CHECK = PROBLEM.check(look)
