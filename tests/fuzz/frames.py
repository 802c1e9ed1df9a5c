"""Frames made by hand, and what is read out of those that came back."""

import struct
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from fuzz.case import Shot
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6Unknown, IPv6
from scapy.layers.sctp import SCTP, SCTPChunkInit
from scapy.packet import Raw

from kubectl_packetpath.packet import PROTOCOL_NUMBERS, Address, Packet

FLAGS = {"F": 0x01, "S": 0x02, "R": 0x04, "P": 0x08, "A": 0x10, "U": 0x20, "E": 0x40, "C": 0x80}
ICMP6_TYPES = {8: 128, 0: 129}
SEQUENCE = 0x10000000
IP4, IP6 = 0x0800, 0x86DD


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A packet as the kernel handed it to us."""

    source: Address
    destination: Address
    protocol: int
    sport: int | None = None
    dport: int | None = None
    icmp: tuple[int, int] | None = None
    flags: int = 0
    sequence: int = 0
    ttl: int = 0
    tos: int = 0

    def __str__(self) -> str:
        """For people."""
        ends = f"{self.source}:{self.sport} > {self.destination}:{self.dport}"
        what = f" icmp {self.icmp}" if self.icmp else ""
        flags = f" flags {self.flags:#x}" if self.flags else ""
        return f"protocol {self.protocol} {ends}{what}{flags} ttl {self.ttl} tos {self.tos:#x}"


def number_of(protocol: str, family: int) -> int:
    """IANA number of a protocol's name."""
    return 58 if protocol == "icmp" and family == 6 else PROTOCOL_NUMBERS[protocol]


@lru_cache(4096)
def packet_of(shot: Shot) -> Packet:
    """As the walk knows it where the router takes it in, or a socket sends it."""
    target = ip_address(shot.target)
    family = target.version
    source = ip_address(shot.source or ("0.0.0.0" if family == 4 else "::"))
    number = number_of(shot.protocol, family)
    packet = Packet(
        source=source,
        destination=target,
        protocol=number,
        tcp_flags=_flags(shot.flags) if number == 6 else 0,
        ttl=shot.ttl,
        tos=shot.tos,
        mark=shot.mark,
    )
    values: dict[str, Any] = {"size_bytes": len(data_of(shot))}
    if not shot.by:
        values |= {"uid": 0, "gid": 0}
        if number == 6:
            values["size_bytes"] = {4: 60, 6: 80}[family]  # of a SYN with the kernel's own options
    if shot.protocol == "icmp":
        kind = shot.kind if family == 4 else ICMP6_TYPES[shot.kind]
        values |= {"icmp_type": kind, "icmp_code": shot.code, "icmp_id": shot.sport}
    else:
        values |= {"sport": shot.sport, "dport": shot.dport}
    return replace(packet, **values)


def _flags(text: str) -> int:
    return sum(FLAGS[letter] for letter in text)


@lru_cache(4096)
def data_of(shot: Shot) -> bytes:
    """The IP packet."""
    target = ip_address(shot.target)
    source = shot.source or ("10.77.0.1" if target.version == 4 else "fd77::1")
    if target.version == 4:
        head = IP(src=source, dst=shot.target, tos=shot.tos, ttl=shot.ttl, flags="DF", id=1)
    else:
        head = IPv6(src=source, dst=shot.target, tc=shot.tos, hlim=shot.ttl)
    return bytes(head / _layers(shot, target.version))


def _layers(shot: Shot, family: int) -> Any:
    payload = Raw(b"x" * shot.size)
    if shot.protocol == "udp":
        return UDP(sport=shot.sport, dport=shot.dport) / payload
    if shot.protocol == "tcp":
        ack = SEQUENCE + 1 if "A" in shot.flags else 0
        return TCP(sport=shot.sport, dport=shot.dport, flags=shot.flags, seq=SEQUENCE, ack=ack) / payload
    if shot.protocol == "sctp":
        chunk = SCTPChunkInit(init_tag=7, n_in_streams=1, n_out_streams=1)
        return SCTP(sport=shot.sport, dport=shot.dport, tag=0) / chunk
    if family == 4:
        return ICMP(type=shot.kind, code=shot.code, id=shot.sport) / payload
    if shot.kind == 8:
        return ICMPv6EchoRequest(id=shot.sport) / payload
    return ICMPv6EchoReply(id=shot.sport) / payload if shot.kind == 0 else ICMPv6Unknown(type=shot.kind)


def parse_frame(frame: bytes, *, ethernet: bool = True) -> Seen | None:
    """An Ethernet frame with IP in it; None: something else, or the router's own chatter."""
    if ethernet:
        if len(frame) < 14:
            return None
        (kind,) = struct.unpack_from("!H", frame, 12)
        if kind not in {IP4, IP6}:
            return None
        frame = frame[14:]
    if not frame:
        return None
    if frame[0] >> 4 == 4:
        size = (frame[0] & 15) * 4
        return parse(frame[:size], frame[size:])
    return parse(frame[:40], frame[40:])


def parse(network: bytes, transport: bytes) -> Seen | None:
    """An IP header and what comes after it."""
    if network[0] >> 4 == 4:
        protocol, ttl, tos = network[9], network[8], network[1]
        source, destination = ip_address(network[12:16]), ip_address(network[16:20])
    else:
        protocol, ttl = network[6], network[7]
        tos = int.from_bytes(network[:2], "big") >> 4 & 0xFF
        source, destination = ip_address(network[8:24]), ip_address(network[24:40])
        if destination.is_multicast or destination.is_link_local:
            return (
                None  # what the router tells its neighbours by itself, and what its rules tell it about that
            )
    sport = dport = icmp = None
    flags = sequence = 0
    if protocol in {1, 58} and len(transport) >= 8:
        if protocol == 58 and transport[0] in range(130, 144):
            return None
        icmp = (transport[0], transport[1])
        sport = int.from_bytes(transport[4:6], "big")
    elif protocol in {6, 17, 132} and len(transport) >= 4:
        sport, dport = struct.unpack_from("!HH", transport)
        if protocol == 6 and len(transport) >= 14:
            sequence, flags = int.from_bytes(transport[4:8], "big"), transport[13]
    return Seen(
        source=source,
        destination=destination,
        protocol=protocol,
        sport=sport,
        dport=dport,
        icmp=icmp,
        flags=flags,
        sequence=sequence,
        ttl=ttl,
        tos=tos,
    )


def is_the_shot(seen: Seen, packet: Packet) -> bool:
    """Whether this is the packet itself, however its addresses were changed, and not an answer to it."""
    if seen.protocol != packet.protocol:
        return False
    if packet.icmp_type is not None:
        return seen.icmp == (packet.icmp_type, packet.icmp_code)
    if packet.protocol == 6:
        return seen.sequence == SEQUENCE and seen.flags == packet.tcp_flags
    return True
