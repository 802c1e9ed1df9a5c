"""Virtual servers, their servers and connections as evidence, written as ipvsadm does.

Kernel: net/netfilter/ipvs/ip_vs_ctl.c
"""

from kubectl_packetpath.packet import PROTOCOL_NAMES, SCTP, TCP, UDP, Address, endpoint
from kubectl_packetpath.snapshot.ipvs import IpvsConnection, RealServer, VirtualServer
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.trace import Fact

PERSISTENT, ONE_PACKET = 0x01, 0x04
LETTERS = {TCP: "-t", UDP: "-u", SCTP: "--sctp-service"}
WAYS = {"masquerade": "-m", "tunnel": "-i", "route": "-g"}


def title(service: VirtualServer) -> str:
    """`10.96.0.1:80/tcp`, or by its mark."""
    if service.address is None:
        return f"of mark {service.firewall_mark or 0:#x}"
    name = PROTOCOL_NAMES.get(service.protocol or 0, str(service.protocol))
    return f"{endpoint(service.address, service.port)}/{name}"


def service_fact(node: str, service: VirtualServer) -> Fact:
    """The virtual server as `ipvsadm -Sn` prints it."""
    words = [f"-A {_option(service)} -s {service.scheduler}"]
    if service.flags & PERSISTENT:
        words.append(f"-p {service.timeout_seconds}")
    if service.flags & ONE_PACKET:
        words.append("-o")
    return Fact(section="ipvs", key=f"{node} ipvs {title(service)}", text=" ".join(words))


def server_fact(node: str, service: VirtualServer, server: RealServer) -> Fact:
    """The server as `ipvsadm -Sn` prints it, with its counters."""
    where = endpoint(server.address, server.port)
    way = WAYS.get(server.forwarding, server.forwarding)
    counters = f"active {server.active}, inactive {server.inactive}"
    text = f"-a {_option(service)} -r {where} {way} -w {server.weight} ({counters})"
    return Fact(section="ipvs", key=f"{node} ipvs {title(service)} {where}", text=text)


def address_fact(node: str, link: Link, address: Address) -> Fact:
    """An address and the device that has it."""
    length = address.max_prefixlen
    return Fact(
        section="address", key=f"{node} {link.name} {address}", text=f"{address}/{length} dev {link.name}"
    )


def _option(service: VirtualServer) -> str:
    if service.address is None:
        return f"-f {service.firewall_mark}{' -6' if service.family == 6 else ''}"
    return f"{LETTERS.get(service.protocol or 0, '-?')} {endpoint(service.address, service.port)}"


def connection_fact(node: str, connection: IpvsConnection) -> Fact:
    """The entry much as `ipvsadm -Lcn` prints it."""
    ends = (
        endpoint(connection.client, connection.client_port),
        endpoint(connection.virtual, connection.virtual_port),
        endpoint(connection.server, connection.server_port),
    )
    name = PROTOCOL_NAMES.get(connection.protocol, "ip").upper()
    words = [name, f"{connection.expires_seconds}s {connection.state}"] if connection.state else [name]
    key = f"{node} ipvs connection {ends[0]} {ends[1]}"
    return Fact(section="ipvs", key=key, text=" ".join((*words, *ends)))
