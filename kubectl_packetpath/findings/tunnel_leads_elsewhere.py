"""A tunnel does not lead to the node that it should lead to.

A VXLAN device finds the other node by its forwarding database, which the pod network's daemon fills: with an entry that is
missing, or left from when the node had another address, everything for the pods of that node is lost. The daemon may have
failed, or read a wrong address: flannel takes it from the Node's annotation flannel.alpha.coreos.com/public-ip.

Kernel: drivers/net/vxlan/vxlan_core.c vxlan_xmit, vxlan_find_mac
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.model import Node
from kubectl_packetpath.findings.base import Finding, Problem, Severity
from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, Hop, Path, Step, StepKind, Verdict

PROBLEM = Problem(
    code="PP309",
    id="tunnel-leads-elsewhere",
    title="A tunnel does not lead to the node that it should lead to.",
)


def look(answer: Answer, way: Answered) -> Iterator[Finding]:
    """An entry for a node's pods that is missing, or whose address is not that node's, on a path that does not arrive."""
    for number, path in enumerate(way.trace.paths):
        for end in (path, path.reply):
            if end is None or end.ending.verdict is Verdict.DELIVERED or path.weight == 0:
                continue
            for hop in end.hops:
                for step in hop.steps:
                    yield from _wrong(answer, number, hop, step)
            yield from _missing(answer, number, end)


def _wrong(answer: Answer, number: int, hop: Hop, step: Step) -> Iterator[Finding]:
    entry = next((fact for fact in step.because if fact.section == "fdb"), None)
    if step.kind is not StepKind.ENCAPSULATED or step.after is None or entry is None:
        return
    wanted, outer = _node_behind(answer, step.after), step.after.destination
    if wanted is None or not wanted.addresses or outer in wanted.addresses:
        return
    taker = answer.cluster.node_with(outer)
    who = f"{taker.name}'s" if taker is not None else "no node's by the API"
    own = wanted.address(outer.version)
    device = step.text.split()[0]
    yield PROBLEM.found(
        hop.node,
        f"{device} on {hop.node} sends what is for the pods of {wanted.name} to {outer}, which is {who}; "
        f"{wanted.name} is {own or 'at other addresses'}",
        # The API need not know all addresses of a node.
        severity=Severity.PROBLEM if taker is not None else Severity.SUSPICION,
        node=hop.node,
        namespace=hop.namespace,
        paths=(number,),
        evidence=(entry,),
        remedy=_remedies(device, entry, wanted, hop.node),
    )


def _missing(answer: Answer, number: int, end: Path) -> Iterator[Finding]:
    hop = end.hops[-1]
    facts = hop.steps[-1].because if hop.steps else ()
    entry = next(
        (fact for fact in facts if fact.section == "fdb" and fact.text.startswith("no entry for")), None
    )
    wanted = _node_behind(answer, end.packet)
    if entry is None or wanted is None:
        return
    mac, _, device = entry.text.removeprefix("no entry for ").partition(" dev ")
    neighbour = next((fact for step in hop.steps for fact in step.because if fact.text.find(mac) > 0), None)
    yield PROBLEM.found(
        hop.node,
        f"{device} on {hop.node} has no entry for {mac or 'the next hop'}, behind which the pods of {wanted.name} "
        "should be",
        severity=Severity.PROBLEM if end.weight is not None else Severity.SUSPICION,
        node=hop.node,
        namespace=hop.namespace,
        paths=(number,),
        evidence=(entry, *([neighbour] if neighbour is not None and neighbour is not entry else [])),
        remedy=_remedies(device, entry, wanted, hop.node),
    )


def _node_behind(answer: Answer, packet: Packet) -> Node | None:
    """The node of the pod that the packet inside is for."""
    pod = answer.cluster.pod_with(packet.innermost.destination)
    return answer.cluster.node(pod.node) if pod is not None else None


def _remedies(device: str, entry: Fact, wanted: Node, here: str) -> tuple[str, ...]:
    """Ask the daemon first: it writes the entry anew when it starts."""
    del entry
    return (
        f"kubectl get pods -A -o wide --field-selector spec.nodeName={here}",
        f"kubectl get node {wanted.name} -o jsonpath='{{.metadata.annotations}}'",
        f"bridge fdb show dev {device}",
    )


CHECK = PROBLEM.check(look)
