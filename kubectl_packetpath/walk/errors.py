"""ICMP errors belong to the connection of the packet that they are about, and are translated with it.

Kernel: net/netfilter/nf_conntrack_proto_icmp.c nf_conntrack_inet_error, nf_nat_core.c nf_nat_icmp_reply_translation
"""

from dataclasses import replace

from kubectl_packetpath.packet import Packet, State
from kubectl_packetpath.trace import History, Step, StepKind, told
from kubectl_packetpath.walk import conntrack
from kubectl_packetpath.walk.here import Here, Outcomes, go_on


def track(here: Here, packet: Packet, history: History | None) -> Outcomes:
    """Attach the packet's connection; an error's is that of the packet which it is about."""
    known = _related(here, packet) if packet.connection is None else None
    if known is None or known.connection is None:
        yield from conntrack.track(here, packet, history)
        return
    fact = conntrack.connection_fact(here.node, known.connection)
    text = "an error about a known connection (ctstate RELATED)"
    yield go_on(known, told(history, Step(kind=StepKind.TRACKED, text=text, because=(fact,))))


def _related(here: Here, packet: Packet) -> Packet | None:
    """The error with its connection, and from now on about the packet as its sender knows it."""
    for connection in here.connections if packet.about is not None else ():
        for sent, seen, is_reply in (
            (connection.original, conntrack.answer_flow(connection.reply), True),
            (connection.reply, conntrack.answer_flow(connection.original), False),
        ):
            if packet.about in {sent, seen}:
                known = replace(connection, state=State.RELATED, is_reply=is_reply, confirmed=True)
                return replace(packet, connection=known, about=sent)
    return None
