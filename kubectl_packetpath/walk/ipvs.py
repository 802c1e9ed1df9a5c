"""IPVS: a packet for a virtual server gets a server, and the server's answers get the virtual address back.

Requests are taken out of their hook and sent on from OUTPUT (see `ipvs_forwarding`), so they pass INPUT's filters
before, and OUTPUT's and POSTROUTING's after; FORWARD sees only answers.

Kernel: net/netfilter/ipvs/ip_vs_core.c (ip_vs_in_hook, ip_vs_out_hook, ip_vs_schedule)
"""

from collections.abc import Iterator
from dataclasses import replace

from kubectl_packetpath.packet import (
    SCTP,
    TCP,
    UDP,
    Packet,
    endpoint,
)
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.ipvs import IpvsConnection, RealServer, VirtualServer
from kubectl_packetpath.trace import Ending, Fact, History, Outcome, Step, StepKind, Verdict, told
from kubectl_packetpath.walk.here import Here, Hook, Outcomes, ended, go_on, scaled
from kubectl_packetpath.walk.ipvs_connections import (
    answered,
    begins_anew,
    opened,
    server_of,
    template,
    unreadable,
)
from kubectl_packetpath.walk.ipvs_facts import (
    address_fact,
    connection_fact,
    server_fact,
    service_fact,
    title,
)
from kubectl_packetpath.walk.ipvs_rewriting import followed, forward
from kubectl_packetpath.walk.ipvs_schedulers import picks
from kubectl_packetpath.walk.ipvs_services import connection_to, find_service, opens, takes_no_port
from kubectl_packetpath.walk.order import Function
from kubectl_packetpath.walk.tables import tables_of

ANSWERS = {Hook.INPUT: 98, Hook.FORWARD: 100, Hook.OUTPUT: -99}
REQUESTS = {Hook.INPUT: 99, Hook.OUTPUT: -98}
"""Priorities; NAT's are 100 at INPUT and -100 at OUTPUT."""
BALANCED = {TCP, UDP, SCTP}


def functions(here: Here, packet: Packet) -> Iterator[Function]:
    """What IPVS hangs into this hook, where the namespace has virtual servers or connections of theirs."""
    if here.hook not in ANSWERS or packet.family not in {4, 6}:
        return
    if here.hook in REQUESTS and _unreadable(here):
        yield Function(priority=REQUESTS[here.hook], title="ipvs", run=_doubt)
    if not _services(here) and not here.balanced:
        return
    local = here.hook is Hook.OUTPUT
    yield Function(priority=ANSWERS[here.hook], title="ipvs answers", run=_answer, reroutes=local)
    if here.hook in REQUESTS:
        yield Function(priority=REQUESTS[here.hook], title="ipvs", run=_request, reroutes=local)


def _services(here: Here) -> tuple[VirtualServer, ...]:
    services = here.state.ipvs()
    return () if isinstance(services, Absent) else services


def _unreadable(here: Here) -> str:
    services = here.state.ipvs()
    if not isinstance(services, Absent) or services.why is Why.NOT_LOADED:
        return ""
    return services.detail or services.why.value


def _doubt(here: Here, packet: Packet, history: History | None) -> Outcomes:
    """There may be virtual servers."""
    text = f"{here.node} ipvs: the virtual servers could not be read: {_unreadable(here)}"
    yield go_on(packet, told(history, Step(kind=StepKind.ASSUMED, text=text)), None)


def _answer(here: Here, packet: Packet, history: History | None) -> Outcomes:
    """A packet from a server to its client comes from the virtual address again."""
    known = None if packet.balanced is not None else answered(here, packet)
    if known is None or known.forwarding != "masquerade":
        yield go_on(packet, history)
        return
    changed = replace(packet, source=known.virtual, sport=known.virtual_port, balanced=known)
    changed = followed(changed, known, answer=True)
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
    if service is None or not opens(here, packet):
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
    yield from forward(here, packet, told(history, step), connection)


def _dropped(
    here: Here, packet: Packet, history: History | None, connection: IpvsConnection, why: str
) -> Outcome:
    reason = f"IPVS drops a packet of {endpoint(packet.source, packet.sport)}: {why}"
    ending = Ending(verdict=Verdict.DROPPED, reason=reason, remedy="ipvsadm -Lcn")
    because = (connection_fact(here.node, connection),)
    return ended(go_on(packet, history), ending, kind=StepKind.DROPPED, because=because)


def _schedule(here: Here, packet: Packet, history: History | None, service: VirtualServer) -> Outcomes:
    pinned = template(here, packet, service)
    if pinned is not None:
        yield from _pinned(here, packet, history, (service, pinned))
        return
    name = title(service)
    facts = (*_holder(here, packet), service_fact(here.node, service))
    chosen = picks(service, packet)
    if not chosen or takes_no_port(service):
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
        connection = connection_to(here, packet, service, pick.server)
        for outcome in forward(here, packet, told(history, step), connection):
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
    yield from forward(here, packet, told(history, step), connection_to(here, packet, service, server))


def _holder(here: Here, packet: Packet) -> tuple[Fact, ...]:
    """The device that has the virtual address: by it one knows who made the virtual server."""
    tables = tables_of(here.state)
    owner = tables.owners.get(packet.destination)
    link = tables.links.get(owner.link) if owner is not None else None
    return () if link is None else (address_fact(here.node, link, packet.destination),)
