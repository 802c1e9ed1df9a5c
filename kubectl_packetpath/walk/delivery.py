"""Which socket takes a packet that is for this namespace, if any.

Kernel: net/ipv4/inet_hashtables.c compute_score, net/ipv4/udp.c, net/ipv6/inet6_hashtables.c
"""

from collections.abc import Iterable

from kubectl_packetpath.packet import (
    ICMP,
    ICMPV6,
    PROTOCOL_NAMES,
    SCTP,
    TCP,
    UDP,
    Address,
    Flow,
    Packet,
    endpoint,
)
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.sockets import Socket
from kubectl_packetpath.trace import Ending, Fact, Outcome, StepKind, Verdict
from kubectl_packetpath.walk.conntrack import answer_flow
from kubectl_packetpath.walk.here import Here, ended, unknown
from kubectl_packetpath.walk.settings import fact, number

ECHO = {(ICMP, 8), (ICMPV6, 128)}


def deliver(here: Here, outcome: Outcome, own: Iterable[Flow] = ()) -> Outcome:
    """Hand the packet to a socket; `own` are flows that this question has begun here."""
    packet = outcome.packet
    if packet.flow in {answer_flow(flow) for flow in own}:
        reason = f"the client's own socket on {endpoint(packet.destination, packet.dport)} takes the answer"
        return ended(outcome, Ending(verdict=Verdict.DELIVERED, reason=reason), kind=StepKind.DELIVERED)
    if packet.protocol in {ICMP, ICMPV6}:
        return _icmp(here, outcome)
    if packet.protocol not in {TCP, UDP, SCTP}:
        name = PROTOCOL_NAMES.get(packet.protocol, f"protocol {packet.protocol}")
        return unknown(outcome, f"{here.node}: local delivery of {name} is not modelled")
    sockets = here.state.sockets()
    if isinstance(sockets, Absent):
        if sockets.why is Why.NOT_LOADED:
            sockets = ()
        else:
            why = sockets.detail or sockets.why.value
            return unknown(outcome, f"{here.node}: the sockets could not be read: {why}")
    taker = _best(sockets, packet, here.in_device)
    if taker is None:
        name = PROTOCOL_NAMES[packet.protocol]
        reason = f"nothing listens on {endpoint(packet.destination, packet.dport)}/{name}"
        return ended(outcome, Ending(verdict=Verdict.REFUSED, reason=reason))
    reason = f"delivered to the socket on {endpoint(taker.address, taker.port)}"
    ending = Ending(verdict=Verdict.DELIVERED, reason=reason)
    return ended(outcome, ending, kind=StepKind.DELIVERED, because=(socket_fact(here.node, taker),))


def _icmp(here: Here, outcome: Outcome) -> Outcome:
    packet = outcome.packet
    if (packet.protocol, packet.icmp_type) not in ECHO:
        ending = Ending(verdict=Verdict.DELIVERED, reason="the kernel takes the ICMP message")
        return ended(outcome, ending, kind=StepKind.DELIVERED)
    key = "net/ipv4/icmp_echo_ignore_all" if packet.protocol == ICMP else "net/ipv6/icmp/echo_ignore_all"
    if number(here.state, key):
        ending = Ending(verdict=Verdict.DROPPED, reason="echo requests are ignored here")
        return ended(outcome, ending, kind=StepKind.DROPPED, because=(fact(here.node, here.state, key),))
    ending = Ending(verdict=Verdict.DELIVERED, reason="the kernel answers echo requests itself")
    return ended(outcome, ending, kind=StepKind.DELIVERED)


def _best(sockets: Iterable[Socket], packet: Packet, device: Link | None) -> Socket | None:
    """The most specific socket: a peer of its own, then an address, then a device."""
    fitting = [socket for socket in sockets if _fits(socket, packet, device)]
    return max(fitting, key=_specific, default=None)


def _specific(socket: Socket) -> tuple[bool, bool, bool]:
    return socket.remote is not None, not socket.address.is_unspecified, socket.device is not None


def _fits(socket: Socket, packet: Packet, device: Link | None) -> bool:
    if socket.protocol != packet.protocol or socket.port != packet.dport:
        return False
    if socket.device is not None and socket.device not in _devices(device):
        return False
    if socket.remote is not None and not socket.remote.is_unspecified:
        return (_plain(socket.remote), socket.remote_port) == (packet.source, packet.sport) and _takes(
            socket, packet
        )
    return _takes(socket, packet)


def _devices(device: Link | None) -> set[int | None]:
    return set() if device is None else {device.index, device.master}


def _takes(socket: Socket, packet: Packet) -> bool:
    bound = _plain(socket.address)
    if not bound.is_unspecified:
        return bound == packet.destination
    if socket.family == packet.family:
        return True
    return socket.family == 6 and packet.family == 4 and not socket.v6only


def _plain(address: Address) -> Address:
    """An IPv4 address that an IPv6 socket writes as `::ffff:a.b.c.d`."""
    mapped = address.ipv4_mapped if address.version == 6 else None
    return address if mapped is None else mapped


def socket_fact(node: str, socket: Socket) -> Fact:
    """The socket much as `ss` prints it."""
    name = PROTOCOL_NAMES.get(socket.protocol, str(socket.protocol))
    text = f"{name} LISTEN {endpoint(socket.address, socket.port)} uid {socket.uid} ino {socket.inode}"
    if socket.protocol == UDP:
        text = text.replace("LISTEN", "UNCONN")
    return Fact(section="socket", key=f"{node} {name} {endpoint(socket.address, socket.port)}", text=text)
