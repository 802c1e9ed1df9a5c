"""Netlink sockets: requests out, whole answers in.

An answer that the kernel marks as interrupted is asked for again: a snapshot is a moment, not a smear.

Kernel: include/uapi/linux/netlink.h, nfnetlink.h
"""

import errno
import os
import socket
import struct
from collections.abc import Callable
from typing import TypeVar

from kubectl_packetpath.snapshot.netlink import attribute

T = TypeVar("T")
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x01, 0x04, 0x300
NLM_F_DUMP_INTR = 0x10
NLMSG_ERROR, NLMSG_DONE = 2, 3
NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_XFRM, NETLINK_NETFILTER, NETLINK_GENERIC = 0, 4, 6, 12, 16
NLA_F_NESTED = 0x8000
_HEADER = struct.Struct("=IHHII")
ENDS = (NLMSG_DONE, NLMSG_ERROR)
BUFFER_BYTES = 1 << 16
MOST_TRIES = 20


class InterruptedDumpError(Exception):
    """The table changed while the kernel walked over it."""


def again(read: Callable[[], T]) -> T:
    """Read until nothing changed in between; raises `InterruptedDumpError` after many tries."""
    for _ in range(MOST_TRIES - 1):
        try:
            return read()
        except InterruptedDumpError:
            continue
    return read()


class Netlink:
    """A socket of one netlink family, in the namespace in which it was opened."""

    def __init__(self, protocol: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((0, 0))
        self._sequence = 0
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)

    def close(self) -> None:
        """Let the socket go."""
        self._socket.close()

    def dump(self, kind: int, payload: bytes) -> list[tuple[int, bytes]]:
        """Type and payload of all messages of a table; raises OSError, `InterruptedDumpError`."""
        return self._exchange(kind, NLM_F_REQUEST | NLM_F_DUMP, payload)

    def get(self, kind: int, payload: bytes) -> list[tuple[int, bytes]]:
        """The answer to a question about one thing; raises OSError (ENOENT: it is not there)."""
        return self._exchange(kind, NLM_F_REQUEST | NLM_F_ACK, payload)

    def _exchange(self, kind: int, flags: int, payload: bytes) -> list[tuple[int, bytes]]:
        """Plain loops: a node may have ten thousands of chains, each asked for on its own."""
        self._sequence += 1
        sequence = self._sequence
        self._socket.send(_HEADER.pack(16 + len(payload), kind, flags, sequence, 0) + payload)
        receive, buffer, view, unpack = self._socket.recv_into, self._buffer, self._view, _HEADER.unpack_from
        answers: list[tuple[int, bytes]] = []
        seen = 0
        while True:
            size, position = receive(buffer), 0
            while position + 16 <= size:
                length, answer, marks, number, _ = unpack(buffer, position)
                if length < 16 or position + length > size:
                    raise ValueError("the kernel's answer is longer than our buffer")
                if number == sequence:
                    seen |= marks
                    body = view[position + 16 : position + length].tobytes()
                    if answer in ENDS:
                        _check(body, interrupted=bool(seen & NLM_F_DUMP_INTR))
                        return answers
                    answers.append((answer, body))
                position += (length + 3) & ~3


def _check(body: bytes, *, interrupted: bool) -> None:
    """The end of an answer: raises what it says."""
    code = -struct.unpack_from("=i", body)[0] if len(body) >= 4 else 0
    if code == errno.EINTR or (interrupted and not code):
        raise InterruptedDumpError
    if code:
        raise OSError(code, os.strerror(code))


def nested(kind: int, payload: bytes) -> bytes:
    """A nested attribute."""
    return attribute(kind | NLA_F_NESTED, payload)


def nf_message(subsystem: int, message: int) -> int:
    """The message type of a netfilter subsystem."""
    return subsystem << 8 | message


def nf_generation(family: int = 0, resource: int = 0) -> bytes:
    """`nfgenmsg`: what every netfilter request begins with."""
    return struct.pack("!BBH", family, 0, resource)


def name(kind: int, value: str) -> bytes:
    """A zero-terminated name as an attribute."""
    return attribute(kind, value.encode("utf-8", "surrogateescape") + b"\0")
