"""What checks look at: where a way loses packets, and what was read of a node.

A check never asks a node for more: what no walk has read is not known, and then nothing is found.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.model import Service, ServicePort
from kubectl_packetpath.findings.base import Severity
from kubectl_packetpath.packet import PROTOCOL_NAMES
from kubectl_packetpath.snapshot import PodReference
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.state import NamespaceState, NotRecorded
from kubectl_packetpath.trace import Ending, Fact, Hop, Path, Step, StepKind
from kubectl_packetpath.walk.cluster import namespace_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A path of a way that is lost, or whose answer is."""

    number: int
    """Of the path in its way."""
    path: Path
    end: Path
    """The path itself, or its reply: the one that is lost."""
    certain: bool
    """No assumption was made before it."""

    @property
    def ending(self) -> Ending:
        """How it is lost."""
        return self.end.ending

    @property
    def hop(self) -> Hop:
        """Where it is lost."""
        return self.end.hops[-1]

    @property
    def step(self) -> Step | None:
        """The last thing that happened to the packet."""
        return self.hop.steps[-1] if self.hop.steps else None

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What that rests on."""
        return self.step.because if self.step is not None else ()

    @property
    def filtered(self) -> bool:
        """The reverse path filter drops it, or the question for the next hop's link address."""
        return "reverse path filter" in self.ending.reason

    @property
    def is_reply(self) -> bool:
        """It is the answer that is lost."""
        return self.end is not self.path

    @property
    def severity(self) -> Severity:
        """A loss below an assumption may not be one."""
        return Severity.PROBLEM if self.certain else Severity.SUSPICION

    @property
    def where(self) -> dict[str, Any]:
        """The place, as fields of a finding."""
        return {
            "node": self.hop.node,
            "namespace": self.hop.namespace,
            "paths": (self.number,),
            "severity": self.severity,
        }


def losses(way: Answered) -> Iterator[Loss]:
    """Every path with weight that is lost."""
    for number, path in enumerate(way.trace.paths):
        if path.weight == 0:
            continue
        end = path.reply if path.ending.verdict.family == "arrived" and path.reply is not None else path
        strayed = end is path and way.strays(path)
        if strayed or end.ending.verdict.family == "lost":
            certain = path.weight is not None and end.weight is not None and not way.question.doubt
            yield Loss(number=number, path=path, end=end, certain=certain)


def known(read: Callable[[], T | Absent | None]) -> T | None:
    """A thing that was read; None where it was not, or is not there."""
    try:
        found = read()
    except NotRecorded:
        return None
    return None if isinstance(found, Absent) else found


def host_of(answer: Answer, name: str) -> NamespaceState | None:
    """What was read of a node's own namespace."""
    node = answer.nodes.get(name)
    return node.host() if node is not None else None


def state_at(answer: Answer, hop: Hop) -> NamespaceState | None:
    """What was read of the namespace of a hop."""
    node = answer.nodes.get(hop.node)
    if node is None or hop.namespace == "host":
        return node.host() if node is not None else None
    namespace, _, name = hop.namespace.partition("/")
    pod = answer.cluster.pod(namespace, name)
    if pod is None:
        return None
    reference = PodReference(uid=pod.uid, namespace=pod.namespace, name=pod.name)
    return namespace_of(node, reference, pod.addresses)


def service_of(answer: Answer, way: Answered) -> Service | None:
    """The Service that a way is to."""
    namespace, slash, rest = way.question.subject.partition("/")
    if not slash or way.question.way == "Pod":
        return None
    return answer.cluster.service(namespace, rest.partition(":")[0]) or answer.service


def port_of(service: Service, way: Answered) -> ServicePort | None:
    """The Service's port that a way is to."""
    protocol = PROTOCOL_NAMES.get(way.question.protocol, "").upper()
    name = way.question.subject.partition("/")[2].partition(":")[2]
    fitting = [port for port in service.ports if port.protocol == protocol]
    return next((port for port in fitting if name in {port.name, str(port.port)}), None)


def is_translated(way: Answered, path: Path) -> bool:
    """Whether somebody has changed the destination, as a proxy does for a Service."""
    asked = (way.question.destination, way.question.port)
    return (path.packet.innermost.destination, path.packet.innermost.dport) != asked or any(
        step.kind is StepKind.REWROTE
        and step.before is not None
        and step.after is not None
        and step.before.destination != step.after.destination
        for step in path.steps
    )


def api(key: str, text: str = "") -> Fact:
    """An object of the API as evidence."""
    return Fact(section="api", key=key, text=text)
