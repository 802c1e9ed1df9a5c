"""From node to node: follows a packet over the wires between nodes, then the answer back.

One node's share is `explore.run`; here the shares are joined to whole paths. The answer is walked with the
connections that the way out has made, from the very socket that took the packet.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction

from kubectl_packetpath.packet import Address, Packet, endpoint
from kubectl_packetpath.snapshot import PodReference
from kubectl_packetpath.snapshot.state import NamespaceState, NodeState, NotRecorded
from kubectl_packetpath.trace import Ending, Fact, Hop, Path, Step, StepKind, Trace, Verdict
from kubectl_packetpath.walk import explore
from kubectl_packetpath.walk.answers import answer_to as answer_to  # noqa: PLC0414 - it is looked for here, too
from kubectl_packetpath.walk.answers import with_replies
from kubectl_packetpath.walk.fitting import VLAN_BYTES, wire_bytes
from kubectl_packetpath.walk.here import scaled
from kubectl_packetpath.walk.underlay import Arrival, Underlay, carried, device_with, rows
from kubectl_packetpath.walk.wires import scrubbed

MOST_CROSSINGS = 8
"""Wires between nodes that one packet may take before it counts as looping."""


class PlaceKind(StrEnum):
    """Where a packet starts."""

    POD = "pod"
    HOST = "host"
    OUTSIDE = "outside"
    DEVICE = "device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The start of a packet's way."""

    kind: PlaceKind
    node: str
    """For OUTSIDE: the node that the packet comes to first."""
    pod: PodReference | None = None
    addresses: tuple[Address, ...] = ()
    """Of the pod; for OUTSIDE: the address of the node on the wire, if not the destination itself."""
    device: str = ""
    """For DEVICE: the name of the node's device by which the packet comes in."""

    @property
    def title(self) -> str:
        """For people."""
        if self.kind is PlaceKind.POD and self.pod is not None:
            return f"pod {self.pod.namespace}/{self.pod.name} on {self.node}"
        if self.kind is PlaceKind.HOST:
            return f"host {self.node}"
        if self.kind is PlaceKind.DEVICE:
            return f"{self.device} of {self.node}"
        return f"outside, through {self.node}" if self.node else "outside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One packet to follow."""

    title: str
    place: Place
    packet: Packet
    """Its source may be unspecified (`0.0.0.0`, `::`): then the sender's kernel chooses it."""
    reply: bool = True
    one_node: bool = False
    """End where the packet leaves the node (SENT), and do not follow it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A walk over one node that its narrowed recording cannot answer: the agent there has to walk it."""

    node: str
    start: explore.Start
    connections: explore.Connections
    missing: str = field(default="", compare=False)
    """The first thing that was not recorded."""


class NeedMoreError(Exception):
    """The recordings do not reach far enough: fetch these, and ask again."""

    def __init__(self, needs: tuple[Need, ...]) -> None:
        super().__init__(f"{len(needs)} walks are not recorded")
        self.needs = needs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leg:
    """A whole way of one direction, with what is needed to walk the other."""

    weight: Fraction | None
    hops: tuple[Hop, ...]
    packet: Packet
    ending: Ending
    egress: str
    connections: explore.Connections
    node: str
    namespace: int
    need: Need | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What a walk over several nodes has to go by."""

    nodes: Mapping[str, NodeState]
    underlay: Underlay = field(default_factory=Underlay)
    missing: Mapping[str, str] = field(default_factory=dict)
    """Nodes without state, and why."""

    def arrival(self, destination: Address, next_hop: Address | None) -> Arrival:
        """Where a packet turns up: by the API, else at the only node that has the address on one of its devices."""
        arrival = self.underlay.arrival(destination, next_hop)
        neighbour = next_hop or destination
        for wanted in () if arrival.node else dict.fromkeys((neighbour, destination)):
            owners = [name for name, node in self.nodes.items() if carried(node.host(), wanted)]
            if len(owners) == 1:
                through = None if wanted == neighbour else neighbour
                return Arrival(node=owners[0], address=wanted, through=through)
        return arrival


def trace(query: Query, cluster: Cluster) -> Trace:
    """Follow a packet to all its ends, and each answer back.

    Raises `NeedMoreError` when narrowed recordings have to be asked for more.
    """
    legs = tuple(with_message(leg, cluster) for leg in _first_legs(query, cluster))
    answers = tuple(
        tuple(with_message(back, cluster) for back in _answers(query, leg, cluster)) for leg in legs
    )
    needs = tuple(leg.need for way in (legs, *answers) for leg in way if leg.need is not None)
    if needs:
        raise NeedMoreError(needs)
    pairs = zip(legs, answers, strict=True)
    paths = tuple(path for leg, back in pairs for path in _with_replies(query, leg, back))
    touched = {hop.node for path in paths for hop in path.hops}
    missing = tuple(sorted(name for name in cluster.missing if name in touched))
    return Trace(
        title=query.title, node=query.place.node, packet=query.packet, paths=paths, nodes_missing=missing
    )


def _first_legs(query: Query, cluster: Cluster) -> Iterator[_Leg]:
    place = query.place
    node = cluster.nodes.get(place.node)
    connections = explore.Connections()
    if node is None:
        yield _no_agent(place.node, query.packet, connections, cluster)
        return
    start = _start(place, node, query.packet)
    if start is None:
        reason = f"the agent on {place.node} does not see {place.title}"
        yield _lost_sight(place.node, query.packet, connections, reason)
        return
    yield from _follow(node, start, connections, cluster, 0 if not query.one_node else MOST_CROSSINGS + 1)


def _start(place: Place, node: NodeState, packet: Packet) -> explore.Start | None:
    if place.kind is PlaceKind.OUTSIDE:
        for address in (packet.destination, *place.addresses):
            device = device_with(node.host(), address)
            if device is not None and not device.is_loopback and device.name != "kube-ipvs0":
                return explore.ReceivedOn(namespace=node.host().identity, device=device.name, packet=packet)
        return None
    if place.kind is PlaceKind.DEVICE:
        return explore.ReceivedOn(namespace=node.host().identity, device=place.device, packet=packet)
    state = node.host() if place.kind is PlaceKind.HOST else namespace_of(node, place.pod, place.addresses)
    return None if state is None else explore.Originated(namespace=state.identity, packet=packet)


def namespace_of(
    node: NodeState, pod: PodReference | None, addresses: tuple[Address, ...]
) -> NamespaceState | None:
    """A pod's namespace: by uid, by name, and last by the addresses that the API names."""
    others = [state for state in node.namespaces() if not state.is_host]
    if pod is not None:
        for state in others:
            seen = state.pod
            if seen is not None and seen.uid and seen.uid == pod.uid:
                return state
        for state in others:
            seen = state.pod
            if seen is not None and seen.name and (seen.namespace, seen.name) == (pod.namespace, pod.name):
                return state
    wanted = set(addresses)
    for state in others:
        if wanted & {entry.address for entry in rows(state.addresses())}:
            return state
    return None


def _follow(
    node: NodeState,
    start: explore.Start,
    connections: explore.Connections,
    cluster: Cluster,
    crossings: int,
) -> Iterator[_Leg]:
    try:
        shares = tuple(explore.run(node, start, connections))
    except NotRecorded as missing:
        need = Need(node=node.name, start=start, connections=connections, missing=str(missing))
        lost = _lost_sight(node.name, start.packet, connections, f"not recorded on {node.name}: {missing}")
        yield replace(lost, need=need)
        return
    for share in shares:
        leg = _Leg(
            weight=share.weight,
            hops=share.hops,
            packet=share.packet,
            ending=share.ending,
            egress=share.egress.device if share.egress else "",
            connections=share.connections,
            node=node.name,
            namespace=share.namespace,
        )
        if share.egress is None or share.ending.verdict is not Verdict.SENT or crossings > MOST_CROSSINGS:
            yield leg
            continue
        yield from _over_the_wire(leg, share.egress, cluster, crossings)


def _over_the_wire(leg: _Leg, egress: explore.Egress, cluster: Cluster, crossings: int) -> Iterator[_Leg]:
    arrival = cluster.arrival(leg.packet.destination, egress.next_hop)
    if not arrival.node and leg.packet.inner is not None:
        reason = (
            f"no node is known to have {leg.packet.destination}, to which {leg.node} sends the outer packet"
        )
        step = Step(kind=StepKind.ASSUMED, text=reason)
        hops = (*leg.hops[:-1], replace(leg.hops[-1], steps=(*leg.hops[-1].steps, step)))
        yield replace(leg, weight=None, hops=hops, ending=Ending(verdict=Verdict.UNKNOWN, reason=reason))
        return
    if not arrival.node:
        through = f" through {arrival.through}" if arrival.through else ""
        reason = f"leaves the cluster by {egress.device} of {leg.node}{through}"
        yield replace(leg, ending=Ending(verdict=Verdict.LEFT_CLUSTER, reason=reason))
        return
    if crossings >= MOST_CROSSINGS:
        reason = f"still on its way after {crossings} wires between nodes"
        yield replace(leg, ending=Ending(verdict=Verdict.LOOPED, reason=reason))
        return
    node = cluster.nodes.get(arrival.node)
    weight = leg.weight if arrival.seen else None
    if node is None:
        yield _joined(leg, _no_agent(arrival.node, leg.packet, leg.connections, cluster), weight, ())
        return
    device = device_with(node.host(), arrival.address) if arrival.address else None
    if device is None:
        reason = f"no device of {arrival.node} carries {arrival.address}"
        lost = _lost_sight(arrival.node, leg.packet, leg.connections, reason)
        yield _joined(leg, lost, weight, ())
        return
    length = wire_bytes(leg.packet)
    if device.kind == "veth" and device.mtu and length > device.mtu + VLAN_BYTES:
        reason = f"{length} bytes do not fit into the {device.mtu} of {device.name} of {arrival.node}, and nobody is told"
        key, text = f"{arrival.node} link {device.name}", f"{device.name} mtu {device.mtu}"
        step = Step(kind=StepKind.LOST, text=reason, because=(Fact(section="link", key=key, text=text),))
        hops = (*leg.hops[:-1], replace(leg.hops[-1], steps=(*leg.hops[-1].steps, step)))
        yield replace(leg, hops=hops, ending=Ending(verdict=Verdict.TOO_BIG, reason=reason), weight=weight)
        return
    packet = scrubbed(leg.packet, keep_mark=False)
    start = explore.ReceivedOn(namespace=node.host().identity, device=device.name, packet=packet)
    for onward in _follow(node, start, leg.connections, cluster, crossings + 1):
        yield _joined(leg, onward, weight, _wire(arrival))


def with_message(leg: _Leg, cluster: Cluster) -> _Leg:
    """The way with its end told in full: whether the sender of a packet that was too long hears of it."""
    message, node = leg.ending.message, cluster.nodes.get(leg.node)
    if message is None or node is None:
        return leg
    start = explore.Originated(namespace=leg.namespace, packet=message, answering=True)
    ways = tuple(_follow(node, start, leg.connections, cluster, 0))
    need = next((way.need for way in ways if way.need is not None), None)
    home = (leg.hops[0].node, leg.hops[0].namespace)
    lost = [way for way in ways if not _is_heard(way, home)]
    if not lost:
        text = f"its sender is told to send at most {message.about_mtu} bytes"
    elif lost[0].weight is None:
        text = f"whether its sender is told is not known: {lost[0].ending.reason}"
    else:
        text = f"its sender is never told: {lost[0].ending.reason} on {lost[0].node}"
    ending = replace(leg.ending, reason=f"{leg.ending.reason}; {text}")
    return replace(leg, ending=ending, need=leg.need or need)


def _is_heard(way: _Leg, home: tuple[str, str]) -> bool:
    if way.ending.verdict is Verdict.LEFT_CLUSTER:
        return True
    last = way.hops[-1]
    return way.ending.verdict is Verdict.DELIVERED and (last.node, last.namespace) == home


def _wire(arrival: Arrival) -> tuple[Step, ...]:
    if not arrival.seen:
        text = f"the network behind {arrival.through} is not seen: it should carry this to {arrival.node}"
        return (Step(kind=StepKind.ASSUMED, text=text),)
    if arrival.through is not None:
        text = f"carried by the router {arrival.through} to {arrival.address} of {arrival.node}"
        return (Step(kind=StepKind.RECEIVED, text=text),)
    return ()


def _joined(leg: _Leg, onward: _Leg, weight: Fraction | None, wire: tuple[Step, ...]) -> _Leg:
    first, *others = onward.hops
    hops = (replace(first, steps=(*wire, *first.steps)), *others) if wire else onward.hops
    return replace(onward, hops=(*leg.hops, *hops), weight=scaled(weight, onward.weight))


def _no_agent(name: str, packet: Packet, connections: explore.Connections, cluster: Cluster) -> _Leg:
    why = cluster.missing.get(name, "no agent runs there")
    return _lost_sight(name, packet, connections, f"{name} could not be looked at: {why}")


def _lost_sight(name: str, packet: Packet, connections: explore.Connections, reason: str) -> _Leg:
    step = Step(kind=StepKind.ASSUMED, text=reason)
    return _Leg(
        weight=None,
        hops=(Hop(node=name, namespace="host", steps=(step,)),),
        packet=packet,
        ending=Ending(verdict=Verdict.UNKNOWN, reason=reason, remedy="kubectl packetpath agent status"),
        egress="",
        connections=connections,
        node=name,
        namespace=0,
    )


def _with_replies(query: Query, leg: _Leg, answers: tuple[_Leg, ...]) -> Iterator[Path]:
    path = Path(weight=leg.weight, hops=leg.hops, packet=leg.packet, ending=leg.ending, egress=leg.egress)
    asked = _as_asked(query, leg) if answers else path.packet
    replies = (
        Path(
            weight=back.weight,
            hops=back.hops,
            packet=back.packet,
            ending=_end_of_reply(query, asked, back),
            egress=back.egress,
        )
        for back in answers
    )
    yield from with_replies(path, replies)


def _answers(query: Query, leg: _Leg, cluster: Cluster) -> Iterator[_Leg]:
    if not query.reply or query.one_node or leg.ending.verdict is not Verdict.DELIVERED:
        return
    answer = answer_to(leg.packet, cluster.nodes[leg.node].namespace(leg.namespace))
    start = explore.Originated(namespace=leg.namespace, packet=answer, answering=True)
    yield from _follow(cluster.nodes[leg.node], start, leg.connections, cluster, 0)


def _as_asked(query: Query, leg: _Leg) -> Packet:
    """The packet as its sender made it: with the source that its kernel chose."""
    if not query.packet.source.is_unspecified:
        return query.packet
    first = leg.hops[0].steps[0]
    return first.after or query.packet


def _end_of_reply(query: Query, asked: Packet, back: _Leg) -> Ending:
    """What the client makes of the answer: only one from the address that it asked is its own."""
    expected = (asked.destination, asked.dport)
    seen = (back.packet.source, back.packet.sport)
    if query.place.kind is PlaceKind.OUTSIDE or query.place.kind is PlaceKind.DEVICE:
        if back.ending.verdict is not Verdict.LEFT_CLUSTER:
            return back.ending
        came_home = True
    else:
        came_home = back.ending.verdict in {Verdict.DELIVERED, Verdict.REFUSED} and (
            back.packet.destination == asked.source or asked.source.is_unspecified
        )
    if not came_home:
        return back.ending
    if seen != expected:
        reason = (
            f"the client asked {endpoint(*expected)} and is answered by {endpoint(*seen)}: it resets the "
            "connection, since the address was not translated back"
        )
        return Ending(verdict=Verdict.REFUSED, reason=reason)
    if back.ending.verdict is Verdict.LEFT_CLUSTER:
        return back.ending
    return Ending(verdict=Verdict.DELIVERED, reason="the answer is back at the client")
