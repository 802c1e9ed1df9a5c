"""Connection tracking: which connection a packet belongs to, and in which state that is.

It runs at priority -200 of PREROUTING and OUTPUT. A rule that asks for the state, and every NAT, depends on it.

Kernel: net/netfilter/nf_conntrack_core.c, nf_conntrack_proto_{tcp,icmp,icmpv6}.c, nf_conntrack_netlink.c
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from ipaddress import ip_address
from operator import or_

from kubectl_packetpath.packet import (
    ICMP,
    ICMPV6,
    TCP,
    TCP_ACK,
    TCP_FIN,
    TCP_RST,
    TCP_SYN,
    Address,
    Connection,
    Flow,
    Packet,
    State,
)
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.conntrack import FlowKey
from kubectl_packetpath.snapshot.netlink import attribute_map, attributes
from kubectl_packetpath.trace import Fact, History, Outcome, Step, StepKind, told
from kubectl_packetpath.walk.here import Here, Outcomes, go_on
from kubectl_packetpath.walk.settings import number

CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_STATUS, CTA_MARK, CTA_ZONE, CTA_LABELS = 1, 2, 3, 8, 18, 22
CTA_PROTOINFO, CTA_PROTOINFO_TCP = 4, 1
CTA_TCP_STATE, CTA_TCP_FLAGS = 1, (4, 5)
TCP_SYN_SENT, TCP_SYN_RECV, TCP_ESTABLISHED, TCP_FIN_WAIT, TCP_CLOSE_WAIT = range(1, 6)
TCP_LAST_ACK, TCP_TIME_WAIT, TCP_CLOSE, TCP_SYN_SENT2 = range(6, 10)
CLOSE_INIT = 0x04
"""IP_CT_TCP_FLAG_CLOSE_INIT: this side has sent a FIN."""
OPENED = frozenset({TCP_SYN_RECV, TCP_ESTABLISHED, TCP_FIN_WAIT, TCP_CLOSE_WAIT, TCP_LAST_ACK})
UNANSWERED = frozenset({TCP_SYN_SENT, TCP_SYN_SENT2})
NOT_ALLOWED = {
    (False, TCP_SYN | TCP_ACK): OPENED - {TCP_SYN_RECV} | {TCP_SYN_SENT, TCP_TIME_WAIT, TCP_CLOSE},
    (False, TCP_FIN | TCP_ACK): UNANSWERED,
    (False, TCP_ACK): UNANSWERED,
    (True, TCP_SYN): OPENED | {TCP_CLOSE},
    (True, TCP_FIN | TCP_ACK): UNANSWERED,
}
"""By whether it is an answer, and by what a segment says: the states in which it is invalid (sIV of tcp_conntracks)."""
KNOWN_FLAGS = TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN
POSSIBLE = {TCP_SYN, TCP_SYN | TCP_ACK, TCP_RST, TCP_RST | TCP_ACK, TCP_FIN | TCP_ACK, TCP_ACK}
"""What a segment may say (tcp_valid_flags): any other is invalid."""
CTA_TUPLE_IP, CTA_TUPLE_PROTO, CTA_TUPLE_ZONE = 1, 2, 3

IPS_EXPECTED, IPS_SEEN_REPLY, IPS_DST_NAT = 0x01, 0x02, 0x20

ECHO_ANSWERS = {(ICMP, 8): 0, (ICMP, 0): 8, (ICMP, 13): 14, (ICMP, 14): 13, (ICMP, 15): 16, (ICMP, 16): 15}
ECHO_ANSWERS |= {(ICMP, 17): 18, (ICMP, 18): 17, (ICMPV6, 128): 129, (ICMPV6, 129): 128}
ICMP_OPENERS = {(ICMP, 8), (ICMP, 13), (ICMP, 15), (ICMP, 17), (ICMPV6, 128)}
NEIGHBOUR_DISCOVERY = range(130, 138)


def answer_flow(flow: Flow) -> Flow:
    """The tuple of an answer; for ICMP the id stays and the type becomes its counterpart."""
    if flow.protocol not in {ICMP, ICMPV6}:
        return flow.reversed
    kind = ECHO_ANSWERS.get((flow.protocol, flow.dport >> 8), flow.dport >> 8)
    return replace(
        flow, source=flow.destination, destination=flow.source, dport=kind * 256 + (flow.dport & 0xFF)
    )


def track(here: Here, packet: Packet, history: History | None) -> Outcomes:
    """Attach the packet's connection, known or new; one that rules exempted stays untracked."""
    if packet.connection is not None:
        yield go_on(packet, history)
        return
    if packet.protocol == ICMPV6 and packet.icmp_type in NEIGHBOUR_DISCOVERY:
        yield go_on(replace(packet, connection=_fresh(packet, State.UNTRACKED)), history)
        return
    found = _known(here, packet)
    if found is None:
        yield _first(here, packet, history)
        return
    known = found.connection
    if not found.allows:
        text = "the known connection's TCP state does not allow this packet (ctstate INVALID)"
        step = Step(kind=StepKind.TRACKED, text=text, because=(connection_fact(here.node, known),))
        yield go_on(replace(packet, connection=_fresh(packet, State.INVALID)), told(history, step))
        return
    weight: Fraction | None = Fraction(1)
    if found.opens_anew is None:
        text = f"{here.node}: whether this SYN opens a connection anew that was reset is not to be seen"
        history, weight = told(history, Step(kind=StepKind.ASSUMED, text=text)), None
    if found.opens_anew is not False:
        yield replace(_first(here, packet, history), weight=weight)
    if found.opens_anew is not True:
        facts = (connection_fact(here.node, known),)
        step = Step(kind=StepKind.TRACKED, text=_known_words(known), because=facts)
        yield go_on(replace(packet, connection=known), told(history, step), weight)


def _first(here: Here, packet: Packet, history: History | None) -> Outcome:
    """The packet as the first of a connection."""
    state = _state_of_first(here, packet)
    connection = _fresh(packet, state)
    if state is State.INVALID:
        text = "no connection fits this packet (ctstate INVALID)"
        history = told(history, Step(kind=StepKind.TRACKED, text=text))
    return go_on(replace(packet, connection=connection), history)


def _fresh(packet: Packet, state: State) -> Connection:
    flow = packet.flow
    return Connection(state=state, original=flow, reply=answer_flow(flow))


def _known_words(connection: Connection) -> str:
    direction = "an answer within" if connection.is_reply else "part of"
    return f"{direction} a known connection (ctstate {connection.state.value})"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The connection that a packet fits, and whether the packet does away with it and opens it anew."""

    connection: Connection
    opens_anew: bool | None = False
    """None: that is not to be seen."""
    allows: bool = True
    """Whether the state of the connection allows this packet."""


def _known(here: Here, packet: Packet) -> _Found | None:
    flow = packet.flow
    for connection in here.connections:
        if (
            connection.reply == flow
        ):  # asked first: the later of the two into the table, which matters for a flow to itself
            answering = replace(connection, is_reply=True, confirmed=True, state=State.ESTABLISHED)
            return _Found(connection=answering)
        if connection.original == flow:
            return _Found(connection=replace(connection, is_reply=False, confirmed=True))
    if not here.ask_table or packet.sport_chosen:
        return None
    message = here.state.conntrack(key_of(flow))
    if message is None or isinstance(message, Absent):
        return None
    entry = decode(message)
    known = _as_connection(entry, flow)
    allows = _allows(entry, packet, is_reply=known.is_reply)
    return _Found(connection=known, opens_anew=_opens_anew(entry, packet), allows=allows)


def _allows(entry: "Entry", packet: Packet, *, is_reply: bool) -> bool:
    """Whether a segment fits the state of its connection; sequence numbers and windows are not looked at."""
    if packet.protocol != TCP or not entry.tcp_state:
        return True
    says = packet.tcp_flags & KNOWN_FLAGS
    return says in POSSIBLE and entry.tcp_state not in NOT_ALLOWED.get((is_reply, says), ())


def _opens_anew(entry: "Entry", packet: Packet) -> bool | None:
    """A SYN for a closed connection: new where a side has sent a FIN, or this one a reset, which no dump shows."""
    if packet.protocol != TCP or entry.tcp_state not in {TCP_TIME_WAIT, TCP_CLOSE}:
        return False
    if packet.tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST) != TCP_SYN:
        return False
    return True if entry.tcp_flags & CLOSE_INIT else None


def key_of(flow: Flow, zone: int = 0) -> FlowKey:
    """The question about this flow for the connection table."""
    return FlowKey(
        source=flow.source,
        destination=flow.destination,
        protocol=flow.protocol,
        sport=flow.sport,
        dport=flow.dport,
        zone=zone,
    )


def _state_of_first(here: Here, packet: Packet) -> State:
    """What the first packet of a flow counts as."""
    if packet.protocol == TCP:
        says = packet.tcp_flags & KNOWN_FLAGS
        if says == TCP_SYN:
            return State.NEW
        loose = number(here.state, "net/netfilter/nf_conntrack_tcp_loose", 1)
        return State.NEW if says == TCP_ACK and loose else State.INVALID
    if packet.protocol in {ICMP, ICMPV6}:
        return State.NEW if (packet.protocol, packet.icmp_type) in ICMP_OPENERS else State.INVALID
    return State.NEW


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of the connection table."""

    original: Flow
    reply: Flow
    status: int = 0
    """IPS_* bits."""
    mark: int = 0
    zone: int = 0
    labels: int = 0
    tcp_state: int = 0
    tcp_flags: int = 0
    """Of both directions together."""


def _as_connection(entry: Entry, flow: Flow) -> Connection:
    is_reply = flow == entry.reply or flow != entry.original
    if is_reply or entry.status & IPS_SEEN_REPLY:
        state = State.ESTABLISHED
    else:
        state = State.RELATED if entry.status & IPS_EXPECTED else State.NEW
    connection = Connection(
        state=state,
        original=entry.original,
        reply=entry.reply,
        is_reply=is_reply,
        mark=entry.mark,
        zone=entry.zone,
        dnat_done=True,
        snat_done=True,
        confirmed=True,
        labels=entry.labels,
    )
    return replace(connection, balanced=connection.destination_changed and not entry.status & IPS_DST_NAT)


def connection_fact(node: str, connection: Connection) -> Fact:
    """The entry as evidence, much as `conntrack -L` prints it."""
    one, two = connection.original, connection.reply
    words = [
        f"src={flow.source} dst={flow.destination} sport={flow.sport} dport={flow.dport}"
        for flow in (one, two)
    ]
    key = f"{node} {one.protocol} {one.source}:{one.sport} {one.destination}:{one.dport}"
    return Fact(section="conntrack", key=key, text=" ".join(words))


def decode(message: bytes) -> Entry:
    """Read the attributes of a connection as netlink gives them."""
    original = reply = None
    status = mark = zone = labels = 0
    tcp: dict[int, bytes] = {}
    for kind, value in attributes(message):
        if kind == CTA_TUPLE_ORIG:
            original = _tuple(value)
        elif kind == CTA_TUPLE_REPLY:
            reply = _tuple(value)
        elif kind == CTA_STATUS:
            status = int.from_bytes(value, "big")
        elif kind == CTA_MARK:
            mark = int.from_bytes(value, "big")
        elif kind == CTA_ZONE:
            zone = int.from_bytes(value, "big")
        elif kind == CTA_LABELS:
            labels = int.from_bytes(value, "little")
        elif kind == CTA_PROTOINFO:
            tcp = attribute_map(attribute_map(value).get(CTA_PROTOINFO_TCP, b""))
    if original is None or reply is None:
        raise ValueError("a connection without its two tuples")
    flags = [tcp[each][0] for each in CTA_TCP_FLAGS if tcp.get(each)]
    return Entry(
        original=original,
        reply=reply,
        status=status,
        mark=mark,
        zone=zone,
        labels=labels,
        tcp_state=int.from_bytes(tcp.get(CTA_TCP_STATE, b""), "big"),
        tcp_flags=reduce(or_, flags, 0),
    )


def _tuple(data: bytes) -> Flow:
    source: Address | None = None
    destination: Address | None = None
    protocol: dict[int, int] = {}
    for kind, value in attributes(data):
        if kind == CTA_TUPLE_IP:
            ends = [ip_address(address) for _, address in attributes(value)]
            source, destination = ends[0], ends[1]
        elif kind == CTA_TUPLE_PROTO:
            protocol = {k: int.from_bytes(v, "big") for k, v in attributes(value)}
    if source is None or destination is None:
        raise ValueError("a connection tuple without addresses")
    number_ = protocol.get(1, 0)
    if number_ in {ICMP, ICMPV6}:
        base = 4 if number_ == ICMP else 7
        sport = protocol.get(base, 0)
        dport = protocol.get(base + 1, 0) * 256 + protocol.get(base + 2, 0)
    else:
        sport, dport = protocol.get(2, 0), protocol.get(3, 0)
    return Flow(source=source, destination=destination, protocol=number_, sport=sport, dport=dport)
