"""What is told once: branches that end alike, and ways in that give the same answer.

Twenty endpoints that all answer are one line; the one that does not is another.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.render.policies import shape_of
from kubectl_packetpath.trace import Path, StepKind, Verdict

VETH = re.compile(r"\b(?:veth|cali|lxc|eni|gke|cilium|azv)[0-9a-z]{4,}\b")
ADDRESS = re.compile(r"\[?\b[0-9a-f]*[.:][0-9a-f.:]+\b\]?(?::\d+)?")

Signature = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Paths that differ in the endpoint alone."""

    paths: tuple[Path, ...]

    @property
    def example(self) -> Path:
        """The one to show."""
        return self.paths[0]

    @property
    def weight(self) -> Fraction | None:
        """The share of all of them; None as soon as one is not known."""
        total = Fraction(0)
        for path in self.paths:
            if path.weight is None:
                return None
            total += path.weight
        return min(total, Fraction(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Ways in that give the same answer."""

    ways: tuple[Answered, ...]

    @property
    def example(self) -> Answered:
        """The one to show."""
        return self.ways[0]


def branches(way: Answered) -> tuple[Branch, ...]:
    """The paths of a way, those alike together; lost ones last, where a reader's eye rests."""
    found: dict[Signature, list[Path]] = {}
    for path in way.trace.paths:
        if path.weight != 0:
            found.setdefault((_shape(path), shape_of(way, path)), []).append(path)
    order = {"arrived": 0, "unknown": 1, "lost": 2}
    groups = [Branch(paths=tuple(paths)) for paths in found.values()]
    return tuple(sorted(groups, key=lambda b: order[way.family_of(b.example)]))


def groups(answer: Answer) -> tuple[Group, ...]:
    """The ways of an answer, those with the same answer together, in the order in which they were asked."""
    found: dict[Signature, list[Answered]] = {}
    for way in answer.ways:
        question = way.question
        place = (
            question.destination
            if question.way not in {"NodePort", "Node", "HealthCheck"}
            else question.destination.version
        )
        key = (question.way, question.subject, question.protocol, question.port, place, question.says)
        found.setdefault((*key, *_signature(answer, way)), []).append(way)
    return tuple(Group(ways=tuple(ways)) for ways in found.values())


def _shape(path: Path) -> Signature:
    """What makes two branches alike: the same places but for the last pod, and the same ending."""
    pods = [hop for hop in path.hops if hop.namespace != "host"]
    last = path.hops[-1]
    places = tuple((hop.node, "" if hop is last and len(pods) > 1 else hop.namespace) for hop in path.hops)
    reply = path.reply.ending.verdict if path.reply is not None else None
    assumed = tuple(_plain(text) for text in path.assumed)
    leaves = path.ending.verdict in {Verdict.SENT, Verdict.LEFT_CLUSTER}
    reason = path.ending.reason if leaves else _plain(path.ending.reason)
    return (places, path.ending.verdict, reason, path.masqueraded, reply, assumed)


def _signature(answer: Answer, way: Answered) -> Iterable[object]:
    ends: dict[Signature, Fraction | None] = {}
    names = [node.name for node in answer.cluster.nodes]
    for path in way.trace.paths:
        if path.weight == 0:
            continue
        key = (*_ending(path, way, names), shape_of(way, path))
        before = ends.get(key, Fraction(0))
        ends[key] = None if before is None or path.weight is None else before + path.weight
    yield None if way.budget is None else way.budget.packet_bytes
    yield frozenset((key, None if w is None else round(float(w), 6)) for key, w in ends.items())


def _ending(path: Path, way: Answered, names: list[str]) -> Iterator[object]:
    """A path's end in words that do not name the node where it began."""
    verdict = path.ending.verdict
    yield verdict
    arrived = verdict.family == "arrived"
    dnat = path.packet.destination != way.question.destination
    yield (path.packet.destination, path.packet.dport) if arrived or dnat else None
    yield None if arrived else (_role(path, way), _plain(path.ending.reason, names))
    hairpin = len(path.hops) > 1 and path.hops[0].namespace == path.hops[-1].namespace != "host"
    yield None if hairpin else path.masqueraded
    reply = path.reply
    yield None if reply is None else (reply.ending.verdict.family, _plain(reply.ending.reason, names))
    assumed = (step.text for step in path.steps if step.kind is StepKind.ASSUMED)
    yield tuple(_plain(text, names) for text in assumed)


def _role(path: Path, way: Answered) -> str:
    """Where it was lost, seen from where it began: every node's own host is one place, a pod is always itself."""
    last = path.hops[-1]
    if last.node == way.question.start.node and (last.namespace == "host" or len(path.hops) == 1):
        return "begin" if last.namespace == "host" else "begin pod"
    return f"{last.node} {last.namespace}"


def _plain(text: str, names: Iterable[str] = ()) -> str:
    for name in names:
        text = re.sub(rf"\b{re.escape(name)}\b", "*", text)
    return ADDRESS.sub("*", VETH.sub("veth*", text))
