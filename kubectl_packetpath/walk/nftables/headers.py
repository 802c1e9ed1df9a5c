"""A packet's headers as the bytes that a rule may look at, and which of them are known.

Kernel: include/uapi/linux/ip.h, ipv6.h, tcp.h, udp.h, icmp.h, sctp.h
"""

from kubectl_packetpath.packet import ICMP, ICMPV6, SCTP, TCP, UDP, Packet
from kubectl_packetpath.walk.nftables.registers import Undecided

ALL = 0xFF
FIRST_UNPRIVILEGED_PORT = 1024
UDPLITE, DCCP = 136, 33
WITH_PORTS = {TCP, UDP, SCTP, UDPLITE, DCCP}
HEADER4_BYTES, HEADER6_BYTES = 20, 40
TRANSPORT_BYTES = {TCP: 20, UDP: 8, SCTP: 12, ICMP: 8, ICMPV6: 8, UDPLITE: 8, DCCP: 12}


class Header:
    """Bytes, and a mask of the bits that are known."""

    __slots__ = ("known", "value")

    def __init__(self, size: int) -> None:
        self.value = bytearray(size)
        self.known = bytearray(size)

    def put(self, offset: int, value: bytes, known: bytes | None = None) -> None:
        """These bytes are known (or these bits of them)."""
        self.value[offset : offset + len(value)] = value
        self.known[offset : offset + len(value)] = known or bytes([ALL]) * len(value)

    def load(self, offset: int, size: int) -> bytes | Undecided | None:
        """A part of the header; None: the packet is too short for that."""
        if offset < 0 or offset + size > len(self.value):
            return None
        value, known = bytes(self.value[offset : offset + size]), bytes(self.known[offset : offset + size])
        if known == bytes([ALL]) * size:
            return value
        return Undecided("these bytes of the packet are not known", value=value, known=known, size=size)


def network(packet: Packet) -> Header:
    """The IP header."""
    return _network4(packet) if packet.family == 4 else _network6(packet)


def _network4(packet: Packet) -> Header:
    header = Header(HEADER4_BYTES)
    fragment = (0x4000 if packet.dont_fragment else 0) | packet.fragment_offset >> 3
    header.put(0, bytes([0x45, packet.tos]) + packet.size_bytes.to_bytes(2, "big"))
    header.put(6, fragment.to_bytes(2, "big") + bytes([packet.ttl, packet.protocol]))
    header.put(12, packet.source.packed + packet.destination.packed)
    return header


def _network6(packet: Packet) -> Header:
    header = Header(HEADER6_BYTES)
    header.put(0, bytes([0x60 | packet.tos >> 4, (packet.tos & 0x0F) << 4]), b"\xff\xf0")
    length = max(packet.size_bytes - HEADER6_BYTES, 0)
    header.put(4, length.to_bytes(2, "big") + bytes([packet.protocol, packet.ttl]))
    header.put(8, packet.source.packed + packet.destination.packed)
    return header


def transport(packet: Packet) -> Header | None:
    """The header behind IP's; None: the packet has none, as a later fragment."""
    if packet.fragment_offset:
        return None
    header = Header(TRANSPORT_BYTES.get(packet.protocol, 0))
    if packet.protocol in WITH_PORTS:
        _ports(header, packet)
    if packet.protocol == TCP:
        header.put(13, bytes([packet.tcp_flags & ALL]))
    elif packet.protocol in {UDP, UDPLITE}:
        used = HEADER4_BYTES if packet.family == 4 else HEADER6_BYTES
        header.put(4, max(packet.size_bytes - used, 0).to_bytes(2, "big"))
    elif packet.protocol in {ICMP, ICMPV6} and packet.icmp_type is not None:
        header.put(0, bytes([packet.icmp_type, packet.icmp_code or 0]))
        if packet.icmp_id is not None:
            header.put(4, packet.icmp_id.to_bytes(2, "big"))
    return header


def _ports(header: Header, packet: Packet) -> None:
    if packet.sport is not None and not packet.sport_chosen:
        header.put(0, packet.sport.to_bytes(2, "big"))
    if packet.dport is not None:
        header.put(2, packet.dport.to_bytes(2, "big"))


def chosen_port() -> Undecided:
    """A source port that the kernel will choose."""
    possible = range(FIRST_UNPRIVILEGED_PORT, 1 << 16)
    return Undecided("the source port is not known", possible=possible, size=2)


def link(packet: Packet) -> Header:
    """The Ethernet header."""
    header = Header(14)
    for offset, mac in ((0, packet.destination_mac), (6, packet.source_mac)):
        if mac:
            header.put(offset, bytes.fromhex(mac.replace(":", "")))
    header.put(12, (0x0800 if packet.family == 4 else 0x86DD).to_bytes(2, "big"))
    return header
