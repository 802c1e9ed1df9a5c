"""Which virtual server a packet is for, and the connection that it begins there.

Kernel: net/netfilter/ipvs/ip_vs_ctl.c (ip_vs_service_find), ip_vs_proto_tcp.c (tcp_conn_schedule)
"""

from kubectl_packetpath.packet import TCP, TCP_RST, TCP_SYN, UDP, Packet
from kubectl_packetpath.snapshot.ipvs import IpvsConnection, RealServer, VirtualServer
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.ipvs_connections import CONNTRACK
from kubectl_packetpath.walk.ipvs_facts import ONE_PACKET, PERSISTENT
from kubectl_packetpath.walk.settings import number

SLOPPY_TCP = "net/ipv4/vs/sloppy_tcp"


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


def opens(here: Here, packet: Packet) -> bool:
    """Whether this packet may begin a connection."""
    if packet.protocol != TCP:
        return True
    if packet.tcp_flags & TCP_RST:
        return False
    return bool(packet.tcp_flags & TCP_SYN) or number(here.state, SLOPPY_TCP) == 1


def takes_no_port(service: VirtualServer) -> bool:
    """All ports, but not persistent: the kernel says that it is not meant so."""
    return service.firewall_mark is None and service.port == 0 and not service.flags & PERSISTENT


def connection_to(here: Here, packet: Packet, service: VirtualServer, server: RealServer) -> IpvsConnection:
    """The entry that the kernel makes for this packet's client."""
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
