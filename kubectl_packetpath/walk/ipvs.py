"""IPVS: a packet for a virtual server is not followed yet, and says so.

Kernel: net/netfilter/ipvs/ip_vs_core.c (hooks at LOCAL_IN and LOCAL_OUT, just beside NAT)
"""

from collections.abc import Iterator

from kubectl_packetpath.packet import Packet, endpoint
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.ipvs import VirtualServer
from kubectl_packetpath.trace import History
from kubectl_packetpath.walk.here import Here, Hook, Outcomes, go_on, unknown
from kubectl_packetpath.walk.order import Function

PRIORITIES = {Hook.INPUT: 98, Hook.OUTPUT: -99}


def functions(here: Here, packet: Packet) -> Iterator[Function]:
    """What IPVS hangs into this hook, where the node has virtual servers at all."""
    if here.hook not in PRIORITIES or packet.family not in {4, 6}:
        return
    servers = here.state.ipvs()
    if not isinstance(servers, Absent) and servers:
        yield Function(priority=PRIORITIES[here.hook], title="ipvs", run=_balance)


def _balance(here: Here, packet: Packet, history: History | None) -> Outcomes:
    servers = here.state.ipvs()
    for server in () if isinstance(servers, Absent) else servers:
        if _serves(server, packet):
            place = f"{here.node} ipvs {endpoint(packet.destination, packet.dport)}: IPVS is not modelled"
            yield unknown(go_on(packet, history), place)
            return
    yield go_on(packet, history)


def _serves(server: VirtualServer, packet: Packet) -> bool:
    if server.firewall_mark is not None:
        return packet.mark == server.firewall_mark
    if (server.protocol, server.address) != (packet.protocol, packet.destination):
        return False
    return server.port in {packet.dport, 0}
