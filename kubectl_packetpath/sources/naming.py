"""What the kernel did, in the words of the cluster: pods by name, and a proxy's own refusal for what it is.

The walk knows namespaces by number and rules by their text. Here the API's names and the proxy's dialect are
laid over its trace; nothing of what happened to the packet changes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kubectl_packetpath.cluster.model import Cluster
from kubectl_packetpath.cluster.question import Question
from kubectl_packetpath.dialects import Meaning, meaning
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.state import NodeState
from kubectl_packetpath.trace import Ending, Hop, Path, Trace, Verdict

REFUSALS = {Verdict.REJECTED, Verdict.DROPPED}


@dataclass(slots=True, kw_only=True)
class Namer:
    """Names what a trace left nameless."""

    cluster: Cluster
    node: Callable[[str], NodeState | None]
    names: dict[tuple[str, str], str] = field(default_factory=dict)

    def named(self, found: Trace, question: Question | None) -> Trace:
        """The same trace in the cluster's words."""
        return replace(found, paths=tuple(self._path(path, question) for path in found.paths))

    def _path(self, path: Path, question: Question | None) -> Path:
        hops = tuple(hop if _is_named(hop) else replace(hop, namespace=self._name(hop)) for hop in path.hops)
        reply = self._path(path.reply, None) if path.reply is not None else None
        ending = _no_backend(path, question) or _with_remedy(path, hops[-1], question)
        return replace(path, hops=hops, reply=reply, ending=ending)

    def _name(self, hop: Hop) -> str:
        key = (hop.node, hop.namespace)
        if key not in self.names:
            self.names[key] = self._pod_name(hop)
        return self.names[key]

    def _pod_name(self, hop: Hop) -> str:
        """By uid first, then by the addresses that the namespace has."""
        kind, _, value = hop.namespace.partition(" ")
        if kind == "pod":
            found = next((pod.full_name for pod in self.cluster.pods if pod.uid == value), "")
            return found or hop.namespace
        node = self.node(hop.node)
        state = (
            node.namespace(int(value)) if node is not None and kind == "netns" and value.isdigit() else None
        )
        addresses = state.addresses() if state is not None else ()
        for entry in () if isinstance(addresses, Absent) else addresses:
            pod = self.cluster.pod_with(entry.address)
            if pod is not None and pod.node == hop.node:
                return pod.full_name
        return hop.namespace


def _is_named(hop: Hop) -> bool:
    return hop.namespace == "host" or "/" in hop.namespace


def _no_backend(path: Path, question: Question | None) -> Ending | None:
    """A proxy's rule for a Service without endpoints is not just any rule that rejects."""
    if path.ending.verdict not in REFUSALS or not path.hops[-1].steps:
        return None
    facts = [fact for step in reversed(path.hops[-1].steps) for fact in reversed(step.because)]
    found: Meaning | None = next((m for fact in facts[:4] if (m := meaning(fact)) is not None), None)
    if found is None or not found.absence:
        return None
    subject = found.subject or (question.subject if question is not None else "")
    namespace, _, rest = subject.partition("/")
    name = rest.partition(":")[0]
    how = "rejects" if path.ending.verdict is Verdict.REJECTED else "drops"
    remedy = f"kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name}" if name else ""
    reason = f"{found.program} {how} it: {subject or 'the Service'} {found.absence}"
    return Ending(verdict=Verdict.NO_BACKEND, reason=reason, remedy=remedy)


def _with_remedy(path: Path, last: Hop, question: Question | None) -> Ending:
    """A port on which nothing listens may be the Service's targetPort, or the pod's own affair."""
    if path.ending.verdict is not Verdict.REFUSED or path.ending.remedy or question is None:
        return path.ending
    namespace, slash, _ = last.namespace.partition("/")
    chosen = (path.packet.destination, path.packet.dport) != (question.destination, question.port)
    if not slash or not chosen:
        return path.ending
    service = question.subject.partition("/")[2].partition(":")[0]
    if not service:
        return path.ending
    return replace(path.ending, remedy=f"kubectl -n {namespace} describe service {service}")
