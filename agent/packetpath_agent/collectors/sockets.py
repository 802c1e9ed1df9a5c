"""Sockets that can take a packet: listeners, and datagram and raw sockets.

Kernel: net/ipv4/inet_diag.c, udp_diag.c, raw_diag.c, net/sctp/diag.c
"""

import errno
import socket
import struct
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from kubectl_packetpath.snapshot.links import Address
from kubectl_packetpath.snapshot.netlink import attribute_map
from kubectl_packetpath.snapshot.sockets import TCP_LISTEN, Socket
from packetpath_agent.wire import NETLINK_SOCK_DIAG, Netlink, again

BY_FAMILY = 20
SKV6ONLY, LOCALS = 11, 12
SOCKADDR_SIZE = 128
"""struct sockaddr_storage."""
RAW_PROTOCOL = 10
"""INET_DIAG_PROTOCOL: of a raw socket; the kernel tells it, it is never asked for."""
SOCKET_OPTIONS, TRANSPARENT = 22, 0x20
UDPLITE, SCTP = 136, 132
SCTP_LOADED = "/proc/sys/net/sctp"
"""Asking the kernel about SCTP where this is not would make it load the module."""
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
                (UDPLITE, ALL_STATES),
                *(((SCTP, ALL_STATES),) if Path(SCTP_LOADED).exists() else ()),
                (socket.IPPROTO_RAW, ALL_STATES),
            )
            for row in _read(wire, family, protocol, states)
        )
    finally:
        wire.close()


def _read(wire: Netlink, family: int, protocol: int, states: int) -> list[Socket]:
    """The sockets of one protocol; none where the kernel cannot list them, or does not have it."""
    asked = struct.pack("=BBBxI48x", family, protocol, 0, states)
    try:
        answers = again(lambda: wire.dump(BY_FAMILY, asked))
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.EINVAL, errno.EOPNOTSUPP}:
            return []
        raise
    return [row for _, body in answers for row in _bound(_socket(protocol, body), body)]


def _bound(row: Socket, body: bytes) -> list[Socket]:
    """One row for each address that the socket is bound to.

    SCTP writes the last client's choice into a listener's own address, so there only this list tells the truth.
    """
    listed = attribute_map(body[_BODY.size :]).get(LOCALS, b"") if row.protocol == SCTP else b""
    addresses = [
        _sockaddr(listed[start : start + SOCKADDR_SIZE]) for start in range(0, len(listed), SOCKADDR_SIZE)
    ]
    return [replace(row, family=each.version, address=each) for each in addresses] or [row]


def _sockaddr(data: bytes) -> Address:
    (family,) = struct.unpack_from("=H", data)
    return IPv6Address(data[8:24]) if family == socket.AF_INET6 else IPv4Address(data[4:8])


def _socket(protocol: int, body: bytes) -> Socket:
    family, state, _, _, sport, dport, source, destination, device, _, queued, backlog, uid, inode = (
        _BODY.unpack_from(body)
    )
    version = _FAMILIES[family]
    remote = _address(version, destination)
    extra = attribute_map(body[_BODY.size :])
    return Socket(
        family=version,
        protocol=extra[RAW_PROTOCOL][0]
        if protocol == socket.IPPROTO_RAW and RAW_PROTOCOL in extra
        else protocol,
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
        transparent=bool(extra.get(SOCKET_OPTIONS, b"\0")[0] & TRANSPARENT),
    )


def _address(version: int, raw: bytes) -> Address:
    return IPv4Address(raw[:4]) if version == 4 else IPv6Address(raw)
