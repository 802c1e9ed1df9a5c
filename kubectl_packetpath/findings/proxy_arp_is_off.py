"""The node does not answer for the gateway that its pods ask for.

Calico, the AWS VPC CNI and others give pods a gateway that nobody has (169.254.1.1): the node's end of the veth answers
for it, because proxy_arp is on there, and because the node has a route to it. Without either the pod reaches nothing at
all, while every rule and route looks right.

Kernel: net/ipv4/arp.c arp_process, Documentation/networking/ip-sysctl.rst proxy_arp
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import Loss, host_of, known, losses, state_at
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.state import NamespaceState, NotRecorded
from kubectl_packetpath.trace import Fact, StepKind, Verdict
from kubectl_packetpath.walk.settings import fact

PROBLEM = Problem(
    code="PP311",
    id="proxy-arp-is-off",
    title="The node does not answer for the gateway that its pods ask for.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """A pod's gateway that is nobody's address, unanswered, and proxy_arp off at the node's end of the pod's veth."""
    for loss in losses(way):
        end = _other_end(answer, loss)
        host = host_of(answer, loss.hop.node)
        if loss.ending.verdict is not Verdict.NO_NEIGHBOUR or loss.hop.namespace == "host":
            continue
        if end is None or host is None or loss.end.packet.family != 4 or loss.filtered:
            continue
        keys = tuple(f"net/ipv4/conf/{scope}/proxy_arp" for scope in (end.name, "all"))
        try:
            values = [host.sysctl(key) for key in keys]
        except NotRecorded:
            continue
        if values[0] is None or "1" in values:
            continue
        gateway = loss.ending.reason.rpartition(" ")[2]
        yield PROBLEM.found(
            loss.hop.namespace,
            f"proxy_arp is off on {end.name} of {loss.hop.node}, so nobody answers for {gateway}",
            **loss.where,
            evidence=(fact(loss.hop.node, host, keys[0]), *loss.facts, *_route(loss)),
            remedy=(
                f"sysctl -w net.ipv4.conf.{end.name}.proxy_arp=1",
                f"kubectl get pods -A -o wide --field-selector spec.nodeName={loss.hop.node}",
            ),
        )


def _route(loss: Loss) -> Iterator[Fact]:
    routed = (step for step in loss.hop.steps if step.kind is StepKind.ROUTED)
    return (each for step in routed for each in step.because if each.section == "route")


def _other_end(answer: Answer, loss: Loss) -> Link | None:
    """The node's end of the veth by which the pod sends."""
    node, pod = answer.nodes.get(loss.hop.node), state_at(answer, loss.hop)
    words = loss.ending.reason.split(" answers for ")[0].split()
    if node is None or pod is None or len(words) < 3:
        return None
    own = next((link for link in known(pod.links) or () if link.name == words[-1]), None)
    host: NamespaceState = node.host()
    return next(
        (link for link in known(host.links) or () if own is not None and link.index == own.link), None
    )


CHECK = PROBLEM.check(look)
