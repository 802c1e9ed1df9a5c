"""What the receiver of a first packet sends back, and what its way back makes of the packet's own."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from kubectl_packetpath.packet import ICMP, ICMPV6, TCP, TCP_ACK, TCP_SYN, Packet
from kubectl_packetpath.trace import WORST_FIRST, Path
from kubectl_packetpath.walk.here import scaled, total


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
    """The path with its answer; once for each kind of end, in its share, where chance decides whether that comes back.

    What rests on an assumption is a kind of its own: beside an answer that comes back for certain it would be overlooked.
    """
    kinds: dict[tuple[int, bool], list[Path]] = {}
    for reply in replies:
        kind = (WORST_FIRST.index(reply.ending.verdict.family), reply.weight is None)
        kinds.setdefault(kind, []).append(reply)
    if len(kinds) < 2:
        yield replace(path, reply=next(iter(kinds.values()))[0]) if kinds else path
        return
    for _, alike in sorted(kinds.items()):
        weight = total(reply.weight for reply in alike)
        yield replace(path, weight=scaled(path.weight, weight), reply=replace(alike[0], weight=weight))
