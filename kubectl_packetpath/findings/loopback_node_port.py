"""A node port is asked for at a loopback address, where this node does not serve it.

Only the iptables mode of kube-proxy serves node ports at 127.0.0.1, and only while route_localnet is on; never at ::1.

Kubernetes: https://kubernetes.io/docs/reference/networking/virtual-ips/ and kube-proxy's --iptables-localhost-nodeports
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import api, losses
from kubectl_packetpath.packet import PROTOCOL_NAMES

PROBLEM = Problem(
    code="PP111",
    id="loopback-node-port",
    title="A node port is asked for at a loopback address, where this node does not serve it.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """Lost on its way to a loopback address and a port that is some Service's node port."""
    question = way.question
    if not question.destination.is_loopback:
        return
    protocol = PROTOCOL_NAMES.get(question.protocol, "").upper()
    for service in answer.cluster.services:
        if not any((p.node_port, p.protocol) == (question.port, protocol) for p in service.ports):
            continue
        node = answer.cluster.node(question.start.node)
        address = node.address(question.destination.version) if node is not None else None
        for loss in losses(way):
            yield PROBLEM.found(
                service.full_name,
                f"{question.port} is the node port of {service.full_name}, which {question.start.node} does not "
                f"serve at {question.destination}",
                **loss.where,
                evidence=(api(f"Service {service.full_name}", f"nodePort {question.port}"), *loss.facts),
                remedy=(f"curl http://{address}:{question.port}",) if address is not None else (),
            )


CHECK = PROBLEM.check(look)
