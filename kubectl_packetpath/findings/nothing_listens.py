"""Nothing listens on the port that the Service sends to.

The targetPort is not the port of the program, or the program has not started it. The pod's kernel refuses the connection.

Kubernetes: https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#is-the-service-defined-correctly
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.listeners import Deaf, deaf
from kubectl_packetpath.findings.sight import port_of, service_of
from kubectl_packetpath.packet import PROTOCOL_NAMES
from kubectl_packetpath.walk.delivery import socket_fact

PROBLEM = Problem(
    code="PP106",
    id="nothing-listens",
    title="Nothing listens on the port that the connection is sent to.",
)
MOST_NAMED = 5


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """Refused by the pod's kernel, and no socket on that port at all."""
    for each in deaf(answer, way):
        if each.loopback:
            continue
        loss, packet = each.loss, each.loss.path.packet
        name = PROTOCOL_NAMES[packet.protocol]
        ports = sorted({socket.port for socket in each.sockets})
        told = ", ".join(f"{port}/{name}" for port in ports[:MOST_NAMED])
        subject = loss.hop.namespace if loss.hop.namespace != "host" else loss.hop.node
        message = f"{subject} listens on {told or f'no {name} port'}, not on {packet.dport}/{name}"
        yield PROBLEM.found(
            subject,
            message,
            **loss.where,
            evidence=tuple(socket_fact(loss.hop.node, socket) for socket in each.sockets[:MOST_NAMED]),
            remedy=tuple(_remedies(answer, way, each, ports)),
        )


def _remedies(answer: Answer, way: Answered, each: Deaf, ports: list[int]) -> Iterator[str]:
    service = service_of(answer, way)
    port = port_of(service, way) if service is not None else None
    if service is not None and port is not None:
        kubectl = f"kubectl -n {service.namespace}"
        if len(ports) == 1 and port.target_port.isdigit():
            place = f"/spec/ports/{service.ports.index(port)}/targetPort"
            change = f'[{{"op":"replace","path":"{place}","value":{ports[0]}}}]'
            yield f"{kubectl} patch service {service.name} --type=json -p '{change}'"
        yield f"{kubectl} describe service {service.name}"
    namespace, slash, pod = each.loss.hop.namespace.partition("/")
    if slash:
        yield f"kubectl -n {namespace} logs {pod}"


CHECK = PROBLEM.check(look)
