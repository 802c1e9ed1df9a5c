"""Answers in which a packet is lost in a given way, for the tests of findings."""

from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address

from builders import answered, cluster, delivered, packet_of, questions, step

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.model import Cluster
from kubectl_packetpath.cluster.question import Question
from kubectl_packetpath.findings import Finding, findings, findings_at_all
from kubectl_packetpath.snapshot import NetworkNamespace, PodReference, Snapshot
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.snapshot.state import NodeState
from kubectl_packetpath.trace import Ending, Fact, FactSection, Hop, Path, StepKind, Verdict

ONE = Fraction(1)


def first(world: Cluster | None = None) -> Question:
    """The ClusterIP of the builders' Service, from a pod of node1."""
    return questions(world or cluster())[0]


def lost(
    question: Question, verdict: Verdict, reason: str, *facts: Fact, node: str = "", namespace: str = "host"
) -> Path:
    """All connections end untranslated at this place."""
    sent = packet_of(question)
    client = Hop(
        node=question.start.node, namespace="default/client-1", steps=(step(StepKind.SENT, "leaves by eth0"),)
    )
    kind = StepKind.REJECTED if verdict is Verdict.REJECTED else StepKind.DROPPED
    kind = kind if verdict in {Verdict.DROPPED, Verdict.REJECTED} else StepKind.LOST
    last = Hop(node=node or question.start.node, namespace=namespace, steps=(step(kind, reason, *facts),))
    return Path(weight=ONE, hops=(client, last), packet=sent, ending=Ending(verdict=verdict, reason=reason))


def lost_on_the_way_to(question: Question, number: int, verdict: Verdict, reason: str, *facts: Fact) -> Path:
    """All connections are sent to the pod on node N, and end on the node of the client."""
    path = delivered(question, number, ONE)
    own = path.hops[1]
    kind = StepKind.DROPPED if verdict in {Verdict.DROPPED, Verdict.REJECTED} else StepKind.LOST
    last = replace(own, steps=(*own.steps[:1], step(kind, reason, *facts)))
    ending = Ending(verdict=verdict, reason=reason)
    return replace(path, hops=(path.hops[0], last), ending=ending)


def refused_by_pod(question: Question, number: int) -> Path:
    """All connections come to the pod on node N, and nothing listens there."""
    path = delivered(question, number, ONE)
    reason = f"nothing listens on {path.packet.destination}:8080/tcp"
    last = replace(path.hops[-1], steps=(step(StepKind.LOST, reason),))
    return replace(path, hops=(*path.hops[:-1], last), ending=Ending(verdict=Verdict.REFUSED, reason=reason))


def with_lost_reply(path: Path, reason: str) -> Path:
    """It arrives, and the answer does not."""
    hop = replace(path.hops[0], steps=(step(StepKind.LOST, reason),))
    reply = Path(
        weight=ONE, hops=(hop,), packet=path.packet, ending=Ending(verdict=Verdict.REFUSED, reason=reason)
    )
    return replace(path, weight=ONE, reply=reply)


def recorded(name: str, **host: object) -> NodeState:
    """A node of which these subjects of its own namespace were read."""
    state = NetworkNamespace(identity=1, is_host=True, **host)  # type: ignore[arg-type]
    return RecordedNode(Snapshot(node=name, taken_at="", namespaces=(state,)))


def recorded_pod(name: str, pod: str, **subjects: object) -> NodeState:
    """A node of which these subjects of a pod's namespace were read."""
    own = NetworkNamespace(
        identity=2,
        pod=PodReference(namespace="default", name=pod),
        **subjects,  # type: ignore[arg-type]
    )
    host = NetworkNamespace(identity=1, is_host=True)
    return RecordedNode(Snapshot(node=name, taken_at="", namespaces=(host, own)))


def found(
    code: str, question: Question, *paths: Path, world: Cluster | None = None, **nodes: NodeState
) -> tuple[Finding, ...]:
    """What one check finds in an answer of one way with these paths."""
    return found_in(code, answered(question, *paths), world, **nodes)


def found_in(
    code: str, way: Answered, world: Cluster | None = None, **nodes: NodeState
) -> tuple[Finding, ...]:
    """What one check finds in an answer of this way."""
    own = world or cluster()
    answer = Answer(target="svc/web", ways=(way,), cluster=own, service=own.services[0], nodes=nodes)
    told = (*findings(answer, way), *findings_at_all(answer))
    return tuple(each for each in told if each.code == code)


def one(told: tuple[Finding, ...]) -> Finding:
    """The only one."""
    (each,) = told
    return each


def fact(section: FactSection, key: str, text: str) -> Fact:
    """Evidence."""
    return Fact(section=section, key=key, text=text)


ADDRESS = ip_address
