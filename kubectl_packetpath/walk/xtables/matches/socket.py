"""The socket match: whether a local socket waits for the packet.

Kernel: net/netfilter/xt_socket.c, net/ipv4/netfilter/nf_socket_ipv4.c
"""

from kubectl_packetpath.packet import TCP, TCP_ACK, TCP_SYN, UDP, Packet
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.sockets import Socket
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided

TRANSPARENT, NO_WILDCARD, RESTORE_MARK = 1, 2, 4


def unpack(extension: Extension, family: int) -> int:
    """Read `xt_socket_mtinfo1` to 3: flags."""
    del family
    return extension.data[0] if extension.revision else 0


def holds(spec: int, here: Here, packet: Packet) -> Decision:
    """Listening sockets are known; a connected one takes the later packets of its connection."""
    if packet.protocol not in {TCP, UDP}:
        return False
    if packet.protocol == TCP and packet.tcp_flags & (TCP_SYN | TCP_ACK) != TCP_SYN:
        return Undecided("connected sockets are not recorded")
    sockets = here.state.sockets()
    if isinstance(sockets, Absent):
        return Undecided("the sockets of this namespace are not known")
    waiting = [each for each in sockets if _takes(each, packet)]
    if any(_counts(spec, each) for each in waiting):
        return True if not spec & RESTORE_MARK else Undecided("the mark of the socket is not recorded")
    return False


def _takes(each: Socket, packet: Packet) -> bool:
    if each.protocol != packet.protocol or each.port != packet.dport:
        return False
    if each.address.is_unspecified:
        return each.family == packet.family or (each.family == 6 and not each.v6only)
    return each.address == packet.destination


def _counts(spec: int, each: Socket) -> bool:
    if spec & TRANSPARENT and not each.transparent:
        return False
    return bool(spec & NO_WILDCARD) or not each.address.is_unspecified


def words(spec: int) -> str:
    """`--transparent`."""
    options = (
        (TRANSPARENT, "--transparent"),
        (NO_WILDCARD, "--nowildcard"),
        (RESTORE_MARK, "--restore-skmark"),
    )
    return " ".join(text for bit, text in options if spec & bit)


MATCH = Match(
    name="socket",
    revisions=(0, 1, 2, 3),
    unpack=unpack,
    holds=holds,
    words=words,
    certainty="exact for a SYN or a datagram to a listening socket; forks on the others",
)
