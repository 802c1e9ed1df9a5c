"""What the receiver of a first packet sends back, and what its way back makes of the packet's own."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from kubectl_packetpath.packet import ICMP, ICMPV6, TCP, TCP_ACK, TCP_SYN, Packet
from kubectl_packetpath.trace import Path
from kubectl_packetpath.walk.here import scaled, total

WORST_FIRST = ("lost", "unknown", "arrived")


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


def with_replies(path: Path, replies: Iterable[Path]) -> Iterator[Path]:
    """The path with its answer; once for each kind of end, in its share, where chance decides whether that comes back."""
    families: dict[str, list[Path]] = {}
    for reply in replies:
        families.setdefault(reply.ending.verdict.family, []).append(reply)
    if len(families) < 2:
        yield replace(path, reply=next(iter(families.values()))[0]) if families else path
        return
    for family in WORST_FIRST:
        if family in families:
            weight = total(reply.weight for reply in families[family])
            reply = replace(families[family][0], weight=weight)
            yield replace(path, weight=scaled(path.weight, weight), reply=reply)
