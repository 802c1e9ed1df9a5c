"""IPVS: a packet for a virtual server gets a server, and the server's answers get the virtual address back.

Requests are taken out of their hook and sent on from OUTPUT (see `ipvs_forwarding`), so they pass INPUT's filters
before, and OUTPUT's and POSTROUTING's after; FORWARD sees only answers.

Kernel: net/netfilter/ipvs/ip_vs_core.c (ip_vs_in_hook, ip_vs_out_hook, ip_vs_schedule), ip_vs_ctl.c, ip_vs_xmit.c,
ip_vs_nfct.c
"""

from collections.abc import Iterator
from dataclasses import replace

from kubectl_packetpath.packet import (
    SCTP,
    TCP,
    TCP_RST,
    TCP_SYN,
    UDP,
    Packet,
    State,
    endpoint,
)
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.ipvs import IpvsConnection, RealServer, VirtualServer
from kubectl_packetpath.trace import Ending, Fact, History, Outcome, Step, StepKind, Verdict, told
from kubectl_packetpath.walk.here import Here, Hook, Outcomes, ended, go_on, scaled, unknown
from kubectl_packetpath.walk.ipvs_connections import (
    CONNTRACK,
    answered,
    begins_anew,
    opened,
    server_of,
    template,
    unreadable,
)
from kubectl_packetpath.walk.ipvs_facts import (
    ONE_PACKET,
    PERSISTENT,
    address_fact,
    connection_fact,
    server_fact,
    service_fact,
    title,
)
from kubectl_packetpath.walk.ipvs_schedulers import picks
from kubectl_packetpath.walk.order import SENT_ON, Function
from kubectl_packetpath.walk.routing import RouteQuery, fib_lookup
from kubectl_packetpath.walk.settings import fact, number
from kubectl_packetpath.walk.tables import tables_of

ANSWERS = {Hook.INPUT: 98, Hook.FORWARD: 100, Hook.OUTPUT: -99}
REQUESTS = {Hook.INPUT: 99, Hook.OUTPUT: -98}
"""Priorities; NAT's are 100 at INPUT and -100 at OUTPUT."""
BALANCED = {TCP, UDP, SCTP}
SLOPPY_TCP = "net/ipv4/vs/sloppy_tcp"


def functions(here: Here, packet: Packet) -> Iterator[Function]:
    """What IPVS hangs into this hook, where the namespace has virtual servers or connections of theirs."""
    if here.hook not in ANSWERS or packet.family not in {4, 6}:
        return
    if not _services(here) and not here.balanced:
        return
    local = here.hook is Hook.OUTPUT
    yield Function(priority=ANSWERS[here.hook], title="ipvs answers", run=_answer, reroutes=local)
    if here.hook in REQUESTS:
        yield Function(priority=REQUESTS[here.hook], title="ipvs", run=_request, reroutes=local)


def _services(here: Here) -> tuple[VirtualServer, ...]:
    services = here.state.ipvs()
    return () if isinstance(services, Absent) else services


def _answer(here: Here, packet: Packet, history: History | None) -> Outcomes:
    """A packet from a server to its client comes from the virtual address again."""
    known = None if packet.balanced is not None else answered(here, packet)
    if known is None or known.forwarding != "masquerade":
        yield go_on(packet, history)
        return
    changed = replace(packet, source=known.virtual, sport=known.virtual_port, balanced=known)
    changed = _followed(changed, known, answer=True)
    text = (
        f"source {endpoint(packet.source, packet.sport)} back to "
        f"{endpoint(known.virtual, known.virtual_port)}"
    )
    because = (connection_fact(here.node, known),)
    step = Step(kind=StepKind.REWROTE, text=text, because=because, before=packet, after=changed)
    yield go_on(changed, told(history, step))


def _request(here: Here, packet: Packet, history: History | None) -> Outcomes:
    """A packet for a virtual server: known already, or given to a server now."""
    if packet.balanced is not None or packet.protocol not in BALANCED:
        yield go_on(packet, history)
        return
    service = find_service(_services(here), packet)
    known = opened(here, packet)
    if known is not None:
        server = None if service is None else server_of(service, known)
        if not begins_anew(here, packet, known, server):
            yield from _continue(here, packet, history, (known, server))
            return
        if known.tracked and packet.connection is not None and packet.connection.confirmed:
            yield _dropped(
                here, packet, history, known, "its old connection has to go first: the next one passes"
            )
            return
    if service is None or not _opens(here, packet):
        yield go_on(packet, history)
        return
    yield from _schedule(here, packet, history, service)


def _continue(
    here: Here,
    packet: Packet,
    history: History | None,
    known: tuple[IpvsConnection, RealServer | None],
) -> Outcomes:
    """A packet of a known connection goes where the others went, unless that server was taken away."""
    connection, server = known
    if server is None and connection not in here.balanced:
        yield _dropped(here, packet, history, connection, "its server was removed, and it is not begun anew")
        return
    text, because = "part of a known IPVS connection", (connection_fact(here.node, connection),)
    step = Step(kind=StepKind.TRACKED, text=text, because=because)
    if server is not None:
        connection = replace(connection, forwarding=server.forwarding)
    yield from _forward(here, packet, told(history, step), connection)


def _dropped(
    here: Here, packet: Packet, history: History | None, connection: IpvsConnection, why: str
) -> Outcome:
    reason = f"IPVS drops a packet of {endpoint(packet.source, packet.sport)}: {why}"
    ending = Ending(verdict=Verdict.DROPPED, reason=reason, remedy="ipvsadm -Lcn")
    because = (connection_fact(here.node, connection),)
    return ended(go_on(packet, history), ending, kind=StepKind.DROPPED, because=because)


def find_service(services: tuple[VirtualServer, ...], packet: Packet) -> VirtualServer | None:
    """By mark first, then by address and port, last by address for all ports."""
    ours = [service for service in services if service.family == packet.family]
    if packet.mark:
        for service in ours:
            if service.firewall_mark == packet.mark:
                return service
    for port in (packet.dport, 0):
        for service in ours:
            here = (service.protocol, service.address, service.port)
            if here == (packet.protocol, packet.destination, port):
                return service
    return None


def _opens(here: Here, packet: Packet) -> bool:
    """Whether this packet may begin a connection."""
    if packet.protocol != TCP:
        return True
    if packet.tcp_flags & TCP_RST:
        return False
    return bool(packet.tcp_flags & TCP_SYN) or number(here.state, SLOPPY_TCP) == 1


def _schedule(here: Here, packet: Packet, history: History | None, service: VirtualServer) -> Outcomes:
    pinned = template(here, packet, service)
    if pinned is not None:
        yield from _pinned(here, packet, history, (service, pinned))
        return
    name = title(service)
    facts = (*_holder(here, packet), service_fact(here.node, service))
    chosen = picks(service, packet)
    if not chosen or _takes_no_port(service):
        reason = f"the virtual server {name} has no server that takes new connections: port unreachable"
        ending = Ending(verdict=Verdict.NO_BACKEND, reason=reason, remedy="ipvsadm -Ln")
        yield ended(go_on(packet, history), ending, kind=StepKind.REJECTED, because=facts)
        return
    doubt = unreadable(here, packet, service)
    if doubt:
        history = told(history, Step(kind=StepKind.ASSUMED, text=f"{here.node} ipvs {name}: {doubt}"))
    for pick in chosen:
        to = endpoint(pick.server.address, pick.server.port or packet.dport)
        text = f"IPVS {service.scheduler} chooses {to}, {pick.how}"
        because = (*facts, server_fact(here.node, service, pick.server))
        step = Step(kind=StepKind.BALANCED, text=text, because=because)
        connection = _connection(here, packet, service, pick.server)
        for outcome in _forward(here, packet, told(history, step), connection):
            yield replace(outcome, weight=scaled(None if doubt else pick.share, outcome.weight))


def _pinned(
    here: Here, packet: Packet, history: History | None, by: tuple[VirtualServer, IpvsConnection]
) -> Outcomes:
    """The client has been here before: the same server again."""
    service, pin = by
    server = server_of(service, pin)
    if server is None:
        raise ValueError("a template without its server")
    to = endpoint(server.address, server.port or packet.dport)
    left = f" for {pin.expires_seconds} s" if pin.expires_seconds else ""
    text = f"IPVS keeps {pin.client} at {to}{left}"
    because = (
        *_holder(here, packet),
        service_fact(here.node, service),
        connection_fact(here.node, pin),
    )
    step = Step(kind=StepKind.BALANCED, text=text, because=because)
    yield from _forward(here, packet, told(history, step), _connection(here, packet, service, server))


def _holder(here: Here, packet: Packet) -> tuple[Fact, ...]:
    """The device that has the virtual address: by it one knows who made the virtual server."""
    tables = tables_of(here.state)
    owner = tables.owners.get(packet.destination)
    link = tables.links.get(owner.link) if owner is not None else None
    return () if link is None else (address_fact(here.node, link, packet.destination),)


def _takes_no_port(service: VirtualServer) -> bool:
    """All ports, but not persistent: the kernel says that it is not meant so."""
    return service.firewall_mark is None and service.port == 0 and not service.flags & PERSISTENT


def _connection(here: Here, packet: Packet, service: VirtualServer, server: RealServer) -> IpvsConnection:
    return IpvsConnection(
        protocol=packet.protocol,
        client=packet.source,
        client_port=packet.sport or 0,
        virtual=packet.destination,
        virtual_port=packet.dport or 0,
        server=server.address,
        server_port=server.port or packet.dport or 0,
        forwarding=server.forwarding,
        tracked=number(here.state, CONNTRACK) == 1,
        one_packet=bool(service.flags & ONE_PACKET) and packet.protocol == UDP,
    )


def _forward(here: Here, packet: Packet, history: History | None, connection: IpvsConnection) -> Outcomes:
    """Change the packet as the way of forwarding wants it; what is not for this namespace is sent on."""
    way = fib_lookup(here.state, RouteQuery(destination=connection.server))[0]
    local = way.type == "local" or connection.forwarding == "local"
    if connection.forwarding in {"tunnel", "bypass"}:
        place = f"{here.node} ipvs {endpoint(packet.destination, packet.dport)}: forwarding by {connection.forwarding}"
        yield unknown(go_on(packet, history), f"{place} is not modelled")
        return
    if _crosses_loopback(here, packet, connection, local=local):
        reason = f"IPVS sends nothing between a loopback address and {connection.server}"
        ending = Ending(verdict=Verdict.DROPPED, reason=reason)
        because = (connection_fact(here.node, connection),)
        yield ended(go_on(packet, history), ending, kind=StepKind.DROPPED, because=because)
        return
    changed = replace(packet, balanced=connection)
    if connection.forwarding == "masquerade":
        changed = replace(changed, destination=connection.server, dport=connection.server_port)
    changed = _followed(changed, connection, answer=False)
    history = told(history, *_change(here, packet, changed, connection))
    yield replace(go_on(changed, history), verdict="accept" if local else SENT_ON)


def _crosses_loopback(here: Here, packet: Packet, connection: IpvsConnection, *, local: bool) -> bool:
    """`crosses_local_route_boundary`, and a server at 127.0.0.1 for a client elsewhere."""
    if not local:
        return packet.source.is_loopback
    masquerades = connection.forwarding == "masquerade"
    return masquerades and here.hook is Hook.INPUT and connection.server.is_loopback and not _looped(here)


def _looped(here: Here) -> bool:
    return here.in_device is not None and here.in_device.is_loopback


def _change(here: Here, before: Packet, after: Packet, connection: IpvsConnection) -> Iterator[Step]:
    because = (connection_fact(here.node, connection),)
    if (before.destination, before.dport) != (after.destination, after.dport):
        old, new = endpoint(before.destination, before.dport), endpoint(after.destination, after.dport)
        text = f"destination {old} becomes {new}"
        yield Step(kind=StepKind.REWROTE, text=text, because=because, before=before, after=after)
    if before.connection is not None and not connection.tracked:
        text = "its connection is not tracked from here on: no rule can translate its source"
        yield Step(kind=StepKind.TRACKED, text=text, because=(fact(here.node, here.state, CONNTRACK),))


def _followed(packet: Packet, known: IpvsConnection, *, answer: bool) -> Packet:
    """What becomes of the packet's conntrack entry (`ip_vs_notrack`, `ip_vs_update_conntrack`)."""
    connection = packet.connection
    if connection is None:
        return packet
    if not known.tracked:
        return replace(packet, connection=replace(connection, state=State.UNTRACKED))
    if connection.confirmed or connection.is_reply or known.one_packet or known.forwarding != "masquerade":
        return packet
    reply = connection.reply
    if answer:
        reply = replace(reply, destination=known.virtual, dport=known.virtual_port)
    else:
        reply = replace(reply, source=known.server, sport=known.server_port)
    return replace(packet, connection=replace(connection, reply=reply, balanced=True))
