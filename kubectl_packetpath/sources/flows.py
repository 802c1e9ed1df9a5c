"""Existing connections beside the walks: what the nodes where clients come in are asked, and what it means."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from kubectl_packetpath.cluster.answer import Answered
from kubectl_packetpath.cluster.flows import existing, filter_of
from kubectl_packetpath.cluster.model import Cluster, Service
from kubectl_packetpath.cluster.question import Question
from kubectl_packetpath.snapshot.conntrack import FlowFilter
from kubectl_packetpath.snapshot.flows import IPS_SEEN_REPLY, Flows, flows_to
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.snapshot.state import NodeState
from kubectl_packetpath.walk.conntrack import Entry, decode


def flows_wanted(questions: Iterable[Question]) -> Flows:
    """What each node has to count: only the addresses and ports that are asked about there."""
    wanted: dict[str, dict[FlowFilter, None]] = {}
    for question in questions:
        key = filter_of(question)
        if key is not None and question.start.node:
            wanted.setdefault(question.start.node, {})[key] = None
    return {name: tuple(keys) for name, keys in wanted.items()}


def with_flows(
    ways: Iterable[Answered],
    cluster: Cluster,
    service: Service | None,
    node: Callable[[str], NodeState | None],
) -> list[Answered]:
    """The ways, each with the existing connections of its kind."""
    return [_with_flows(way, cluster, service, node) for way in ways]


def _with_flows(
    way: Answered, cluster: Cluster, service: Service | None, node: Callable[[str], NodeState | None]
) -> Answered:
    question = way.question
    namespace, slash, rest = question.subject.partition("/")
    own = cluster.service(namespace, rest.partition(":")[0]) if slash else service
    key, state = filter_of(question), node(question.start.node)
    if key is None or own is None or not isinstance(state, RecordedNode):
        return way
    found = flows_to(state.snapshot.host, key)
    if found is None:
        return way
    samples = {(taker.address, taker.port): _samples(taker.samples) for taker in found.takers}
    told = existing(cluster, own, question, found)
    return replace(
        way,
        flows=tuple(replace(each, samples=samples.get((each.taker, each.taker_port), ())) for each in told),
    )


def _samples(messages: Iterable[bytes]) -> tuple[str, ...]:
    """A few entries, much as `conntrack -L` prints them."""
    return tuple(_words(decode(message)) for message in messages)


def _words(entry: Entry) -> str:
    parts = (
        f"src={flow.source} dst={flow.destination} sport={flow.sport} dport={flow.dport}"
        for flow in (entry.original, entry.reply)
    )
    return (" " if entry.status & IPS_SEEN_REPLY else " [UNREPLIED] ").join(parts)
