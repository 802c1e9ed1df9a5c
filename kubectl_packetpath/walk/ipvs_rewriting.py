"""What IPVS changes of a packet that it gives to a server, and of the packet's conntrack entry.

Kernel: net/netfilter/ipvs/ip_vs_xmit.c, ip_vs_nfct.c
"""

from collections.abc import Iterator
from dataclasses import replace

from kubectl_packetpath.packet import Packet, State, endpoint
from kubectl_packetpath.snapshot.ipvs import IpvsConnection
from kubectl_packetpath.trace import Ending, History, Step, StepKind, Verdict, told
from kubectl_packetpath.walk.here import Here, Hook, Outcomes, ended, go_on, unknown
from kubectl_packetpath.walk.ipvs_connections import CONNTRACK
from kubectl_packetpath.walk.ipvs_facts import connection_fact
from kubectl_packetpath.walk.order import SENT_ON
from kubectl_packetpath.walk.routing import RouteQuery, fib_lookup
from kubectl_packetpath.walk.settings import fact


def forward(here: Here, packet: Packet, history: History | None, connection: IpvsConnection) -> Outcomes:
    """Change the packet as the way of forwarding wants it; what is not for this namespace is sent on."""
    way = fib_lookup(here.state, RouteQuery(destination=connection.server))[0]
    local = way.type == "local" or connection.forwarding == "local"
    doubt = _not_modelled(here, connection, local=local)
    if doubt:
        place = f"{here.node} ipvs {endpoint(packet.destination, packet.dport)}"
        yield unknown(go_on(packet, history), f"{place}: {doubt} is not modelled")
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
    changed = followed(changed, connection, answer=False)
    history = told(history, *_change(here, packet, changed, connection))
    yield replace(go_on(changed, history), verdict="accept" if local else SENT_ON)


def _not_modelled(here: Here, connection: IpvsConnection, *, local: bool) -> str:
    if connection.forwarding in {"tunnel", "bypass"}:
        return f"forwarding by {connection.forwarding}"
    out = here.out_device
    if here.hook is Hook.OUTPUT and local and out is not None and not out.is_loopback:
        return "a server of this very host behind an address that is elsewhere"
    return ""


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


def followed(packet: Packet, known: IpvsConnection, *, answer: bool) -> Packet:
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
