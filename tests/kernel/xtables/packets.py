"""Packets made by hand, each beside what the walk is told of it."""

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from kernel.xtables.wire import CLIENT4, CLIENT6, MACS, ROUTER4, ROUTER6, SERVER4, SERVER6, Sent
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.sctp import SCTP, SCTPChunkInit
from scapy.packet import Raw

from kubectl_packetpath.packet import Address, Packet

FLAGS = {"S": 0x02, "SA": 0x12, "A": 0x10, "R": 0x04, "FA": 0x11, "SEC": 0xC2, "": 0, "SPU": 0x2A}


def _ip(source: Address, destination: Address, tos: int, ttl: int) -> Any:
    if source.version == 4:
        return IP(src=str(source), dst=str(destination), tos=tos, ttl=ttl, flags="DF", id=1)
    return IPv6(src=str(source), dst=str(destination), tc=tos, hlim=ttl)


def made(name: str, layers: Any, packet: Packet) -> Sent:
    """The whole packet in bytes, and its size in the walk's packet."""
    head = _ip(packet.source, packet.destination, packet.tos, packet.ttl)
    data = bytes(head / layers)
    known = replace(packet, size_bytes=len(data), source_mac=MACS["c0"], destination_mac=MACS["r0"])
    return Sent(name=name, data=data, packet=known)


def plain(source: Address, destination: Address, protocol: int, **fields: Any) -> Packet:
    """The walk's packet, without ports."""
    fields = {"tcp_flags": 0, **fields}
    return Packet(source=source, destination=destination, protocol=protocol, **fields)


def tcp(flags: str, sport: int, dport: int, ends: tuple[Address, Address], **fields: Any) -> Sent:
    """A TCP segment."""
    layers = TCP(sport=sport, dport=dport, flags=flags, seq=1, ack=1 if "A" in flags else 0)
    packet = plain(*ends, 6, sport=sport, dport=dport, tcp_flags=FLAGS[flags], **fields)
    return made(
        f"tcp{ends[0].version} {flags or 'no flags'} {sport}>{dport} to {ends[1]} {fields or ''}",
        layers,
        packet,
    )


def udp(sport: int, dport: int, ends: tuple[Address, Address], size: int = 0, **fields: Any) -> Sent:
    """A datagram."""
    layers = UDP(sport=sport, dport=dport) / Raw(b"x" * size)
    packet = plain(*ends, 17, sport=sport, dport=dport, **fields)
    return made(
        f"udp{ends[0].version} {sport}>{dport} to {ends[1]} {size or ''} {fields or ''}", layers, packet
    )


def sctp(sport: int, dport: int) -> Sent:
    """An INIT."""
    packet = plain(CLIENT4, SERVER4, 132, sport=sport, dport=dport)
    layers = SCTP(sport=sport, dport=dport, tag=0) / SCTPChunkInit(
        init_tag=7, n_in_streams=1, n_out_streams=1
    )
    return made(f"sctp {sport}>{dport}", layers, packet)


def icmp(kind: int, code: int, identifier: int) -> Sent:
    """An ICMP message."""
    packet = plain(CLIENT4, SERVER4, 1, icmp_type=kind, icmp_code=code, icmp_id=identifier)
    return made(f"icmp {kind}/{code}", ICMP(type=kind, code=code, id=identifier), packet)


def icmp6(identifier: int) -> Sent:
    """An echo request."""
    packet = plain(CLIENT6, SERVER6, 58, icmp_type=128, icmp_code=0, icmp_id=identifier)
    return made("icmp6 128/0", ICMPv6EchoRequest(id=identifier), packet)


THROUGH4, THROUGH6 = (CLIENT4, SERVER4), (CLIENT6, SERVER6)
OTHER4, OTHER6 = ip_address("10.77.2.77"), ip_address("fd77:2::77")
PACKETS4 = (
    tcp("S", 40001, 80, THROUGH4),
    tcp("S", 40002, 8080, THROUGH4, tos=0xB8),
    tcp("S", 999, 443, (CLIENT4, ROUTER4)),
    tcp("SEC", 40003, 53, THROUGH4),
    tcp("SA", 40004, 80, THROUGH4),
    tcp("A", 40005, 80, THROUGH4),
    tcp("R", 40006, 80, THROUGH4),
    tcp("SPU", 40007, 80, THROUGH4),
    tcp("", 40008, 90, THROUGH4),
    udp(53, 53, THROUGH4),
    udp(40010, 5353, THROUGH4, size=200, tos=0x10),
    udp(40011, 9, (CLIENT4, OTHER4), ttl=3),
    udp(40012, 9, (CLIENT4, ip_address("10.77.1.255"))),
    sctp(40013, 53),
    sctp(5, 54),
    icmp(8, 0, 7),
    icmp(0, 0, 8),
    icmp(3, 4, 9),
    icmp(13, 0, 10),
)
PACKETS6 = (
    tcp("S", 40101, 80, THROUGH6),
    tcp("SA", 40102, 443, THROUGH6),
    tcp("S", 40103, 80, (CLIENT6, ROUTER6)),
    udp(40104, 53, THROUGH6, size=100),
    udp(40105, 53, (CLIENT6, OTHER6), ttl=9, tos=0x10),
    icmp6(11),
)
