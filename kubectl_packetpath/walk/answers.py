"""What the receiver of a first packet sends back."""

from kubectl_packetpath.packet import ICMP, ICMPV6, TCP, TCP_ACK, TCP_SYN, Packet


def answer_to(packet: Packet) -> Packet:
    """What the receiver sends back."""
    flags = TCP_SYN | TCP_ACK if packet.protocol == TCP else 0
    kind = packet.icmp_type
    if packet.protocol in {ICMP, ICMPV6} and kind is not None:
        kind = {8: 0, 128: 129}.get(kind, kind)
    return Packet(
        source=packet.destination,
        destination=packet.source,
        protocol=packet.protocol,
        sport=packet.dport,
        dport=packet.sport,
        icmp_type=kind,
        icmp_code=packet.icmp_code,
        icmp_id=packet.icmp_id,
        tcp_flags=flags,
        size_bytes=packet.size_bytes,
        uid=0,
        gid=0,
    )
