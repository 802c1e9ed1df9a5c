"""One node's share of the way: from namespace to namespace until each branch is delivered, lost or sent.

The connections that a packet makes are handed on with its path, so that the answer's walk finds them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from kubectl_packetpath.packet import Address, Connection, Flow, Packet, State
from kubectl_packetpath.snapshot.ipvs import IpvsConnection
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.state import NamespaceState, NodeState
from kubectl_packetpath.trace import Ending, History, Hop, Outcome, Step, StepKind, Verdict
from kubectl_packetpath.walk import wires
from kubectl_packetpath.walk.here import ended, go_on, scaled, unknown
from kubectl_packetpath.walk.namespace import originate, receive
from kubectl_packetpath.walk.place import Departure, Place
from kubectl_packetpath.walk.tables import NotReadable, tables_of

MOST_VISITS = 32
KNOWN_ENDS = {Verdict.DELIVERED, Verdict.REFUSED, Verdict.TOO_BIG}
"""Ends of packets whose connection is in the table; one that is too long was not the first of its connection."""
NESTING = {StepKind.ENCAPSULATED, StepKind.DECAPSULATED, StepKind.ENCRYPTED, StepKind.DECRYPTED}

Key = tuple[str, int]
"""Node name and identity of a namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """What packets of one question have left behind, by namespace; never changed, only replaced."""

    tracked: Mapping[Key, tuple[Connection, ...]] = field(default_factory=dict)
    begun: Mapping[Key, tuple[Flow, ...]] = field(default_factory=dict)
    """Flows that a socket there has begun: it takes the answers."""
    balanced: Mapping[Key, tuple[IpvsConnection, ...]] = field(default_factory=dict)
    """Connections of IPVS, which keeps a table of its own."""

    def with_tracked(self, key: Key, connection: Connection) -> "Connections":
        """This connection is in the table from now on."""
        kept = tuple(c for c in self.tracked.get(key, ()) if c.original != connection.original)
        return replace(self, tracked={**self.tracked, key: (*kept, connection)})

    def with_balanced(self, key: Key, connection: IpvsConnection) -> "Connections":
        """IPVS knows this connection from now on."""
        kept = tuple(c for c in self.balanced.get(key, ()) if c != connection)
        return replace(self, balanced={**self.balanced, key: (*kept, connection)})

    def with_begun(self, key: Key, flow: Flow) -> "Connections":
        """A socket has sent the first packet of this flow."""
        return replace(self, begun={**self.begun, key: (*self.begun.get(key, ()), flow)})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedOn:
    """The packet comes in by a device; link addresses may be left empty."""

    namespace: int
    device: str
    packet: Packet


@dataclass(frozen=True, slots=True, kw_only=True)
class Originated:
    """A socket sends the packet; with an unspecified source the kernel chooses it."""

    namespace: int
    packet: Packet
    answering: bool = False
    """It answers one that came here: no socket has connected for it."""


Start = ReceivedOn | Originated


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """How a packet leaves the node."""

    device: str
    next_hop: Address | None = None
    """The gateway; None: the destination is on the wire itself."""
    mac: str = ""
    """Link address of the next hop, where the node knows it; the packet itself carries none any more, since
    a router in between would change it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePath:
    """One branch of the way through a node."""

    weight: Fraction | None
    hops: tuple[Hop, ...]
    packet: Packet
    ending: Ending
    namespace: int
    """Where it ended."""
    egress: Egress | None = None
    """Set exactly for SENT."""
    connections: Connections = field(default_factory=Connections)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Journey:
    """A branch between two namespaces."""

    node: NodeState
    connections: Connections
    ask_table: bool
    weight: Fraction | None = Fraction(1)
    hops: tuple[Hop, ...] = ()

    def place(self, state: NamespaceState) -> Place:
        key = (self.node.name, state.identity)
        return Place(
            node=self.node,
            state=state,
            connections=self.connections.tracked.get(key, ()),
            balanced=self.connections.balanced.get(key, ()),
            own=self.connections.begun.get(key, ()),
            ask_table=self.ask_table,
        )


def run(
    node: NodeState, start: Start, connections: Connections | None = None, *, ask_table: bool = False
) -> Iterator[NodePath]:
    """Every way of the packet through this node, weights summing to 1 unless something was assumed.

    `ask_table`: the packet may belong to a connection that the node tracked already; otherwise it is a new one.
    """
    journey = _Journey(node=node, connections=connections or Connections(), ask_table=ask_table)
    state = node.namespace(start.namespace)
    if state is None:
        raise LookupError(f"{node.name} has no network namespace {start.namespace}")
    place = journey.place(state)
    try:
        if isinstance(start, Originated):
            yield from _visited(
                journey, place, originate(place, start.packet, answering=start.answering), begins=True
            )
            return
        device = tables_of(state).named.get(start.device)
        if device is None:
            raise LookupError(f"{place.title} of {node.name} has no device {start.device}")
        yield from _visited(journey, place, receive(place, start.packet, device))
    except NotReadable as problem:
        yield _path(journey, place, unknown(go_on(start.packet, None), f"{node.name}: {problem}"))


def _visited(
    journey: _Journey, place: Place, departures: Iterator[Departure], *, begins: bool = False
) -> Iterator[NodePath]:
    for departure in departures:
        key = (place.node.name, place.state.identity)
        onward = replace(journey, connections=_remembered(journey.connections, key, departure.outcome))
        if begins and departure.outcome.history is not None:
            first = next(iter(departure.outcome.history))
            sent = first.after or _original(departure.outcome.packet)
            onward = replace(onward, connections=onward.connections.with_begun(key, sent.flow))
        if departure.device is None or departure.outcome.ending is not None:
            yield _path(onward, place, departure.outcome)
        else:
            yield from _leave(onward, place, departure, departure.device)


def _original(packet: Packet) -> Packet:
    """The packet as the socket sent it, before any NAT of this namespace."""
    packet = packet.innermost
    connection = packet.connection
    if connection is None or connection.is_reply:
        return packet
    flow = connection.original
    return replace(
        packet,
        source=flow.source,
        destination=flow.destination,
        sport=flow.sport if packet.sport is not None else None,
        dport=flow.dport if packet.dport is not None else None,
    )


def _remembered(connections: Connections, key: Key, outcome: Outcome) -> Connections:
    """A connection is in the table once its first packet has left, was delivered, or went into or out of a tunnel."""
    if outcome.ending is not None and outcome.ending.verdict not in KNOWN_ENDS:
        return connections
    for packet in (*_nested(outcome.history), outcome.packet):
        if packet.balanced is not None:
            connections = connections.with_balanced(key, packet.balanced)
        connection = packet.connection
        if connection is not None and connection.state not in {State.INVALID, State.UNTRACKED}:
            kept = replace(connection, is_reply=False, confirmed=True, dnat_done=True, snat_done=True)
            connections = connections.with_tracked(key, kept)
    return connections


def _nested(history: History | None) -> Iterator[Packet]:
    """The packets that tunnels of this namespace have wrapped, and those that they have unwrapped."""
    for step in history or ():
        if step.kind in NESTING and step.before is not None:
            yield step.before


def _leave(journey: _Journey, place: Place, departure: Departure, device: Link) -> Iterator[NodePath]:
    """Over a device: to a namespace of this node, into a tunnel, or off the node."""
    if departure.into is not None:
        packet = wires.scrubbed(departure.outcome.packet, keep_mark=False)
        taken = replace(departure.outcome, packet=packet)
        crossing = wires.Crossing(outcome=taken, state=departure.into, link=device)
    else:
        crossing = wires.cross(place, departure.outcome, device)
    if crossing.outcome.ending is not None:
        yield _path(journey, place, crossing.outcome)
        return
    if crossing.state is None or crossing.link is None:
        yield _sent(journey, place, departure, crossing.left_by or device)
        return
    if len(journey.hops) >= MOST_VISITS:
        ending = Ending(verdict=Verdict.LOOPED, reason=f"still on its way after {MOST_VISITS} namespaces")
        yield _path(journey, place, ended(departure.outcome, ending))
        return
    text = f"goes up to {device.name}" if departure.into is not None else f"leaves by {device.name}"
    hop = _hop(place, departure.outcome, Step(kind=StepKind.SENT, text=text))
    onward = replace(
        journey, hops=(*journey.hops, hop), weight=scaled(journey.weight, departure.outcome.weight)
    )
    next_place = onward.place(crossing.state)
    yield from _visited(onward, next_place, receive(next_place, crossing.outcome.packet, crossing.link))


def _sent(journey: _Journey, place: Place, departure: Departure, device: Link) -> NodePath:
    outcome = departure.outcome
    next_hop = departure.next_hop
    via = f" to {next_hop}" if next_hop is not None else ""
    ending = Ending(verdict=Verdict.SENT, reason=f"leaves {place.node.name} by {device.name}{via}")
    path = _path(journey, place, ended(outcome, ending, kind=StepKind.SENT))
    egress = Egress(device=device.name, next_hop=next_hop, mac=outcome.packet.destination_mac)
    packet = replace(path.packet, source_mac="", destination_mac="", asked=None)
    return replace(path, egress=egress, packet=packet)


def _hop(place: Place, outcome: Outcome, *more: Step) -> Hop:
    steps = tuple(outcome.history) if outcome.history is not None else ()
    return Hop(node=place.node.name, namespace=place.title, steps=(*steps, *more))


def _path(journey: _Journey, place: Place, outcome: Outcome) -> NodePath:
    if outcome.ending is None:
        raise ValueError("a path that has not ended")
    return NodePath(
        weight=scaled(journey.weight, outcome.weight),
        hops=(*journey.hops, _hop(place, outcome)),
        packet=outcome.packet,
        ending=outcome.ending,
        namespace=place.state.identity,
        connections=journey.connections,
    )
