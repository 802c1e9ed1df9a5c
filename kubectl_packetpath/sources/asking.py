"""From questions to traces: the walk is run over whatever supplies the nodes' state, and fed what it misses.

A bundle, the agents of a live cluster and a test's hand-made nodes are alike here.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address
from typing import Protocol

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.ask import TargetKind
from kubectl_packetpath.cluster.model import Cluster
from kubectl_packetpath.cluster.policy.enforcement import enforcement
from kubectl_packetpath.cluster.question import Expansion, Question, Start
from kubectl_packetpath.packet import TCP, Packet
from kubectl_packetpath.snapshot import PodReference
from kubectl_packetpath.snapshot.flows import NO_FLOWS, Flows
from kubectl_packetpath.snapshot.state import NodeState
from kubectl_packetpath.sources.enforcers import signs_of, with_policies
from kubectl_packetpath.sources.flows import flows_wanted, with_flows
from kubectl_packetpath.sources.naming import Namer
from kubectl_packetpath.sources.rounds import Source, budgets, walked
from kubectl_packetpath.trace import Ending, Hop, Path, Step, StepKind, Trace, Verdict
from kubectl_packetpath.walk.cluster import Cluster as WalkCluster
from kubectl_packetpath.walk.cluster import Need, Place, PlaceKind, Query
from kubectl_packetpath.walk.request import Client
from kubectl_packetpath.walk.underlay import Underlay

ANY = {4: ip_address("0.0.0.0"), 6: ip_address("::")}  # noqa: S104 - the sender's kernel chooses
CLIENT_PORT = 40000


class Supplier(Protocol):
    """Where the state of nodes comes from."""

    @property
    def missing(self) -> Mapping[str, str]:
        """Nodes that cannot be looked at, and why."""

    @property
    def pause_seconds(self) -> float:
        """How long to wait before it is asked the same again; 0: it would always say the same."""

    def open(self, names: Collection[str], flows: Flows = NO_FLOWS) -> None:
        """These nodes will be asked for, and to count these connections: for all of them at once."""

    def node(self, name: str) -> NodeState | None:
        """What is known of a node so far; None: it is missing."""

    def more(self, needs: tuple[Need, ...]) -> None:
        """Find out what these walks were missing; afterwards `node` knows more, or `missing` says why not."""

    def read_resolver(self, node: str, client: Client) -> str:
        """Have a pod's resolver configuration read; why that was not done, or nothing."""


def answer(target: str, expansion: Expansion, cluster: Cluster, supplier: Supplier) -> Answer:
    """Every question of an expansion, answered."""
    somewhere = [question for question in expansion.questions if not question.nowhere]
    namer = Namer(cluster=cluster, node=supplier.node)
    names = {question.start.node for question in expansion.questions}
    names |= {each.node for question in expansion.questions for each in question.expected}
    supplier.open({name for name in names if name}, flows_wanted(somewhere))
    traces = iter(traces_of([query_of(question) for question in somewhere], cluster, supplier))
    ways = [
        Answered(
            question=question,
            trace=_nowhere(question) if question.nowhere else namer.named(next(traces), question),
        )
        for question in expansion.questions
    ]
    touched = {hop.node for way in ways for path in way.trace.paths for hop in path.hops if hop.node}
    enforced = enforcement(cluster.daemonsets, signs_of(ways, supplier.node))
    ways = with_policies(ways, cluster, enforced)
    ways = with_flows(ways, cluster, expansion.service, supplier.node)
    if expansion.with_budget:
        ways = _with_budgets(ways, cluster, supplier)
    missing = {name: why for name, why in supplier.missing.items() if name in touched}
    return Answer(
        target=target,
        ways=tuple(ways),
        cluster=cluster,
        service=expansion.service,
        notes=(*expansion.notes, *cluster.policies.notes),
        nodes_missing=missing,
        nodes={name: state for name in sorted(touched) if (state := supplier.node(name)) is not None},
        enforcement=enforced,
        balancer=expansion.balancer,
    )


def _nowhere(question: Question) -> Trace:
    """The trace of a packet that no node is sent, since nobody announces its destination."""
    query = query_of(question)
    reason = f"no node answers for {question.destination}"
    step = Step(kind=StepKind.LOST, text=reason)
    path = Path(
        weight=Fraction(1),
        hops=(Hop(node="", namespace="outside", steps=(step,)),),
        packet=query.packet,
        ending=Ending(verdict=Verdict.NO_NEIGHBOUR, reason=reason),
    )
    return Trace(title=question.title, node="", packet=query.packet, paths=(path,))


def traces_of(queries: Sequence[Query], cluster: Cluster, supplier: Supplier) -> list[Trace]:
    """The trace of each query; what all of them miss is fetched in one round."""
    return walked(queries, _source(cluster, supplier))


def _source(cluster: Cluster, supplier: Supplier) -> Source:
    underlay = underlay_of(cluster)
    return Source(
        world=lambda: WalkCluster(nodes=_Nodes(supplier), underlay=underlay, missing=supplier.missing),
        more=supplier.more,
        pause_seconds=supplier.pause_seconds,
    )


def _with_budgets(ways: Sequence[Answered], cluster: Cluster, supplier: Supplier) -> list[Answered]:
    """With the longest packet of each way by which packets arrive."""
    arriving = [way for way in ways if way.family == "arrived"]
    queries = [query_of(way.question) for way in arriving]
    found = dict(zip(map(id, arriving), budgets(queries, _source(cluster, supplier)), strict=True))
    return [replace(way, budget=found.get(id(way))) for way in ways]


class _Nodes(Mapping[str, NodeState]):
    """The nodes by name, each asked for when a walk comes to it."""

    def __init__(self, supplier: Supplier) -> None:
        self._supplier = supplier

    def __getitem__(self, name: str) -> NodeState:
        state = self._supplier.node(name) if name else None
        if state is None:
            raise KeyError(name)
        return state

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def underlay_of(cluster: Cluster) -> Underlay:
    """Who owns which address, by the word of the API."""
    return Underlay(
        nodes={address: node.name for node in cluster.nodes for address in node.addresses},
        pods={
            address: pod.node
            for pod in cluster.pods
            if pod.node and not pod.host_network
            for address in pod.addresses
        },
    )


def query_of(question: Question) -> Query:
    """A user's question as the walk takes it."""
    source = question.start.address or ANY[question.destination.version]
    return Query(
        title=question.title,
        place=_place(question.start, question),
        packet=Packet(
            source=source,
            destination=question.destination,
            protocol=question.protocol,
            sport=CLIENT_PORT,
            dport=question.port,
            sport_chosen=True,
            size_bytes=question.size_bytes,
            tcp_flags=0x02 if question.protocol == TCP else 0,
        ),
    )


def _place(start: Start, question: Question) -> Place:
    if start.pod is not None:
        pod = start.pod
        reference = PodReference(uid=pod.uid, namespace=pod.namespace, name=pod.name)
        return Place(kind=PlaceKind.POD, node=start.node, pod=reference, addresses=pod.addresses)
    if start.kind is TargetKind.NODE:
        return Place(kind=PlaceKind.HOST, node=start.node)
    addresses = () if question.arrives_at is None else (question.arrives_at,)
    return Place(kind=PlaceKind.OUTSIDE, node=start.node, addresses=addresses)


def packet_question(query: Query) -> Question:
    """One packet through one node, as a question for the answer to show."""
    kind = {PlaceKind.POD: TargetKind.POD, PlaceKind.HOST: TargetKind.NODE}.get(
        query.place.kind, TargetKind.OUTSIDE
    )
    return Question(
        way="Packet",
        start=Start(kind=kind, node=query.place.node, label=query.place.title),
        destination=query.packet.destination,
        protocol=query.packet.protocol,
        port=query.packet.dport or 0,
    )
