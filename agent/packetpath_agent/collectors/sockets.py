"""Sockets that can take a packet: listeners, and datagram and raw sockets.

Kernel: net/ipv4/inet_diag.c, udp_diag.c, raw_diag.c, net/sctp/diag.c
"""

import errno
import socket
import struct
from ipaddress import IPv4Address, IPv6Address

from kubectl_packetpath.snapshot.links import Address
from kubectl_packetpath.snapshot.netlink import attribute_map
from kubectl_packetpath.snapshot.sockets import TCP_LISTEN, Socket
from packetpath_agent.wire import NETLINK_SOCK_DIAG, Netlink, again

BY_FAMILY = 20
SKV6ONLY = 11
SCTP = 132
ALL_STATES = 0xFFFFFFFF
_FAMILIES = {socket.AF_INET: 4, socket.AF_INET6: 6}
_BODY = struct.Struct("=BBBB2s2s16s16sI8xIIIII")


def sockets() -> tuple[Socket, ...]:
    """All that may take a packet which no open connection claims."""
    wire = Netlink(NETLINK_SOCK_DIAG)
    try:
        return tuple(
            row
            for family in _FAMILIES
            for protocol, states in (
                (socket.IPPROTO_TCP, 1 << TCP_LISTEN),
                (socket.IPPROTO_UDP, ALL_STATES),
                (SCTP, ALL_STATES),
            )
            for row in _read(wire, family, protocol, states)
        )
    finally:
        wire.close()


def _read(wire: Netlink, family: int, protocol: int, states: int) -> list[Socket]:
    asked = struct.pack("=BBBxI48x", family, protocol, 0xFF, states)
    try:
        answers = again(lambda: wire.dump(BY_FAMILY, asked))
    except OSError as error:
        if error.errno == errno.ENOENT:
            return []
        raise
    return [_socket(protocol, body) for _, body in answers]


def _socket(protocol: int, body: bytes) -> Socket:
    family, state, _, _, sport, dport, source, destination, device, _, queued, backlog, uid, inode = (
        _BODY.unpack_from(body)
    )
    version = _FAMILIES[family]
    remote = _address(version, destination)
    extra = attribute_map(body[_BODY.size :])
    return Socket(
        family=version,
        protocol=protocol,
        address=_address(version, source),
        port=int.from_bytes(sport, "big"),
        state=state,
        remote=None if remote.is_unspecified else remote,
        remote_port=int.from_bytes(dport, "big"),
        device=device or None,
        v6only=bool(extra.get(SKV6ONLY, b"\0")[0]),
        uid=uid,
        inode=inode,
        queued=queued,
        backlog=backlog,
    )


def _address(version: int, raw: bytes) -> Address:
    return IPv4Address(raw[:4]) if version == 4 else IPv6Address(raw)
