"""A node has no route to the pods of another node.

The pod network's daemon did not write it, or somebody removed it: packets take the default route and leave the cluster,
or there is none.

Kubernetes: https://kubernetes.io/docs/concepts/cluster-administration/networking/
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.model import Network
from kubectl_packetpath.findings.base import Finding, Problem, Severity
from kubectl_packetpath.findings.sight import host_of, known, losses
from kubectl_packetpath.trace import Fact, Hop, Verdict

PROBLEM = Problem(
    code="PP303",
    id="route-is-missing",
    title="A node has no route to the pods of another node.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """No route, or one that leads away, to an address that is a pod's; by the default route, it is a suspicion."""
    yield from _by_default(answer, way)
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


def _by_default(answer: Answer, way: Answered) -> Iterator[Finding]:
    """The default route may lead to a router that knows better; not where the node itself has routes to others' pods."""
    for number, path in enumerate(way.trace.paths):
        hop = next((each for each in path.hops if each.node == way.question.start.node), None)
        pod = answer.cluster.pod_with(path.packet.innermost.destination)
        node = answer.cluster.node(pod.node) if pod is not None else None
        facts = tuple(fact for each in path.hops if each.namespace == "host" for fact in _routes(each))[:1]
        if hop is None or node is None or not path.assumed or node.name == hop.node:
            continue
        version = path.packet.innermost.destination.version
        own = {network for network in node.pod_networks if network.version == version}
        others = {network for network in _routed(answer, hop.node) if network.version == version}
        if not facts or not facts[0].text.startswith("default ") or own & others or not others:
            continue
        network = next((str(each) for each in sorted(own, key=str)), str(path.packet.innermost.destination))
        yield PROBLEM.found(
            hop.node,
            f"{hop.node} sends what is for {network}, the pods of {node.name}, by its default route, though it has "
            "routes of its own to the pods of other nodes",
            severity=Severity.SUSPICION,
            node=hop.node,
            namespace="host",
            paths=(number,),
            evidence=facts,
            remedy=(
                f"kubectl get pods -A -o wide --field-selector spec.nodeName={hop.node}",
                f"ip route get {path.packet.innermost.destination}",
            ),
        )


def _routes(hop: Hop) -> Iterator[Fact]:
    return (fact for step in hop.steps for fact in step.because if fact.section == "route")


def _routed(answer: Answer, name: str) -> set[Network]:
    """The pod networks of other nodes to which a node has routes of its own."""
    state = host_of(answer, name)
    rows = known(state.routes) if state is not None else None
    networks = {each for node in answer.cluster.nodes if node.name != name for each in node.pod_networks}
    return networks & {row.destination for row in rows or ()}


def _discards(reason: str) -> bool:
    """A route that is there to throw packets away is another problem."""
    return " is of type " in reason


CHECK = PROBLEM.check(look)
