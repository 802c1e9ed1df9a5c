"""A node has no route to the pods of another node.

The pod network's daemon did not write it, or somebody removed it: packets take the default route and leave the cluster,
or there is none.

Kubernetes: https://kubernetes.io/docs/concepts/cluster-administration/networking/
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.findings.base import Finding, Problem
from kubectl_packetpath.findings.sight import losses
from kubectl_packetpath.trace import Verdict

PROBLEM = Problem(
    code="PP303",
    id="route-is-missing",
    title="A node has no route to the pods of another node.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """No route, or one that leads away, to an address that is a pod's."""
    for loss in losses(way):
        destination = loss.end.packet.innermost.destination
        pod = answer.cluster.pod_with(destination)
        node = answer.cluster.node(pod.node) if pod is not None else None
        away = {Verdict.NO_ROUTE, Verdict.LEFT_CLUSTER}
        if pod is None or node is None or loss.ending.verdict not in away or _discards(loss.ending.reason):
            continue
        network = next((str(each) for each in node.pod_networks if destination in each), str(destination))
        here, gateway = loss.hop.node, node.address(destination.version)
        is_here = f"its own pod {pod.full_name}" if node.name == here else f"the pods of {node.name}"
        name = f"{here} ({loss.hop.namespace})" if loss.hop.namespace != "host" else here
        remedy = [f"ip route get {destination}"]
        if node.name != here and loss.hop.namespace == "host":
            remedy = [
                f"kubectl get pods -A -o wide --field-selector spec.nodeName={here}",
                f"ip route get {destination}",
                f"ip route replace {network} via {gateway}",
            ]
        yield PROBLEM.found(
            loss.hop.node,
            f"{name} has no route to {network}, {is_here}",
            **loss.where,
            evidence=loss.facts,
            remedy=remedy,
        )


def _discards(reason: str) -> bool:
    """A route that is there to throw packets away is another problem."""
    return " is of type " in reason


CHECK = PROBLEM.check(look)
