"""What the receiver of a first packet sends back, and what its way back makes of the packet's own."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from kubectl_packetpath.packet import ICMP, ICMPV6, TCP, TCP_ACK, TCP_SYN, Packet
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.trace import WORST_FIRST, Path
from kubectl_packetpath.walk.delivery import ECHO
from kubectl_packetpath.walk.here import scaled, total
from kubectl_packetpath.walk.settings import number


def answer_to(packet: Packet, state: NamespaceState | None = None) -> Packet:
    """What the receiver sends back; without its state as if no setting let a mark go over to the answer."""
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
        mark=packet.mark if state is not None and _keeps_mark(state, packet) else 0,
        size_bytes=packet.size_bytes,
        uid=0,
        gid=0,
    )


def _keeps_mark(state: NamespaceState, packet: Packet) -> bool:
    """Whether the kernel's answer bears the mark that the packet came in with; what a program sends does not.

    Kernel: include/net/inet_sock.h inet_request_mark, include/net/ip.h IP4_REPLY_MARK, include/net/ipv6.h IP6_REPLY_MARK
    """
    if packet.protocol == TCP:
        return bool(number(state, "net/ipv4/tcp_fwmark_accept"))
    if (packet.protocol, packet.icmp_type) in ECHO:
        return bool(number(state, f"net/ipv{packet.family}/fwmark_reflect"))
    return False


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
