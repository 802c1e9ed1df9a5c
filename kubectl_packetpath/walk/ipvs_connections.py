"""Connections that IPVS knows already, and templates that pin a client to a server.

A new connection asks only for a template. Entries of the node's own table count for a packet that may belong to
a connection which was there before the question.

Kernel: net/netfilter/ipvs/ip_vs_conn.c, ip_vs_core.c (ip_vs_in_hook, ip_vs_sched_persist)
"""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_network

from kubectl_packetpath.packet import TCP, TCP_ACK, TCP_SYN, Address, Packet
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.ipvs import IpvsConnection, RealServer, VirtualServer, decode_line
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.ipvs_facts import PERSISTENT
from kubectl_packetpath.walk.settings import number

CONNTRACK = "net/ipv4/vs/conntrack"
EXPIRE_NODEST, REUSE = "net/ipv4/vs/expire_nodest_conn", "net/ipv4/vs/conn_reuse_mode"
EXPIRE_QUIESCENT = "net/ipv4/vs/expire_quiescent_template"
FTP = 21
OVER = {"TIME_WAIT", "CLOSE", "CLOSED"}


def opened(here: Here, packet: Packet) -> IpvsConnection | None:
    """The connection that this packet of a client continues."""
    ends = (packet.protocol, packet.source, packet.sport, packet.destination, packet.dport)
    for known in _all_of(here, packet, packet.source):
        client = (known.protocol, known.client, known.client_port)
        if (*client, known.virtual, known.virtual_port) == ends:
            return known
    return None


def answered(here: Here, packet: Packet) -> IpvsConnection | None:
    """The connection that this packet of a server answers."""
    ends = (packet.protocol, packet.destination, packet.dport, packet.source, packet.sport)
    for known in _all_of(here, packet, packet.destination):
        client = (known.protocol, known.client, known.client_port)
        if (*client, known.server, known.server_port) == ends:
            return known
    return None


def _all_of(here: Here, packet: Packet, client: Address) -> Iterator[IpvsConnection]:
    yield from (known for known in here.balanced if not known.one_packet)
    if here.ask_table and not packet.sport_chosen:
        yield from _listed(here, client)


def _listed(here: Here, client: Address) -> Iterator[IpvsConnection]:
    lines = here.state.ipvs_connections(client)
    tracked = number(here.state, CONNTRACK) == 1
    for line in () if isinstance(lines, Absent) else lines:
        yield replace(decode_line(line), tracked=tracked)


def unreadable(here: Here, packet: Packet, service: VirtualServer) -> str:
    """Why it cannot be known whether this client is pinned; empty: it can."""
    if not service.flags & PERSISTENT:
        return ""
    lines = here.state.ipvs_connections(_masked(packet.source, service.netmask))
    if isinstance(lines, Absent) and lines.why is not Why.NOT_LOADED:
        return f"the connections of IPVS could not be read: {lines.detail or lines.why.value}"
    return ""


def template(here: Here, packet: Packet, service: VirtualServer) -> IpvsConnection | None:
    """What pins this client of a persistent virtual server, if it still holds."""
    if not service.flags & PERSISTENT:
        return None
    client = _masked(packet.source, service.netmask)
    wanted = _template_ends(packet, service)
    for known in (*_of_question(here, client, service), *_listed(here, client)):
        ends = (known.protocol, known.virtual, known.virtual_port)
        if known.client == client and known.client_port == 0 and ends == wanted:
            server = server_of(service, known)
            if server is not None and not _quiesced(here, server):
                return known
    return None


def _of_question(here: Here, client: Address, service: VirtualServer) -> Iterator[IpvsConnection]:
    """A connection of this question has left a template, too."""
    for known in here.balanced:
        if _masked(known.client, service.netmask) == client and server_of(service, known) is not None:
            yield replace(known, client=client, client_port=0)


def _template_ends(packet: Packet, service: VirtualServer) -> tuple[int, Address, int | None]:
    if packet.dport == service.port:
        return packet.protocol, packet.destination, 0 if service.port == FTP else packet.dport
    if service.firewall_mark is not None:
        return 0, _as_address(service.firewall_mark, packet.family), 0
    return packet.protocol, packet.destination, 0


def _as_address(mark: int, family: int) -> Address:
    return IPv4Address(mark) if family == 4 else IPv6Address(mark << 96)


def _masked(address: Address, netmask: int) -> Address:
    """An IPv4 mask, or the length of an IPv6 prefix."""
    if isinstance(address, IPv4Address):
        return IPv4Address(int(address) & netmask)
    return IPv6Address(ip_network((address, min(netmask, 128)), strict=False).network_address)


def server_of(service: VirtualServer, known: IpvsConnection) -> RealServer | None:
    """The server of a connection, if the virtual server has it still; a port of 0 stands for any."""
    for server in service.servers:
        if server.address == known.server and known.server_port in {server.port, 0} | (
            {known.server_port} if server.port == 0 else set()
        ):
            return server
    return None


def _quiesced(here: Here, server: RealServer) -> bool:
    return server.weight == 0 and number(here.state, EXPIRE_QUIESCENT) == 1


def begins_anew(here: Here, packet: Packet, known: IpvsConnection, server: RealServer | None) -> bool:
    """Whether a known connection is given up and its packet scheduled like a new one."""
    if server is None:
        return number(here.state, EXPIRE_NODEST) == 1
    if packet.protocol != TCP or packet.tcp_flags & (TCP_SYN | TCP_ACK) != TCP_SYN:
        return False
    if server.weight == 0 and number(here.state, EXPIRE_NODEST) == 1:
        return True
    return bool(number(here.state, REUSE, 1)) and known.state in OVER
