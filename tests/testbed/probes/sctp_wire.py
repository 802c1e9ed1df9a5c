"""The little of SCTP that opens an association: INIT and INIT ACK.

Many kernels have no SCTP sockets, yet forward, track and translate SCTP: so we speak it through raw sockets. A kernel
that speaks it itself aborts what it knows nothing of, so there its own sockets are used.
Source: RFC 9260, sections 3.1 to 3.3.3, 8.4 and appendix A
"""

import socket
import struct
from pathlib import Path

PROTOCOL = 132
INIT, INIT_ACK, ABORT = 1, 2, 6
STATE_COOKIE = 7
POLYNOMIAL = 0x82F63B78


def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ POLYNOMIAL if value & 1 else value >> 1  # noqa: PLW2901
        table.append(value)
    return table


TABLE = _table()


def crc32c(data: bytes) -> int:
    """The checksum of SCTP."""
    value = 0xFFFFFFFF
    for byte in data:
        value = TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def packet(ports: tuple[int, int], tag: int, chunk: bytes) -> bytes:
    """A whole SCTP packet, with its checksum."""
    bare = struct.pack("!HHII", *ports, tag, 0) + chunk
    return bare[:8] + struct.pack("<I", crc32c(bare)) + bare[12:]


def opening(kind: int, tag: int, parameters: bytes = b"") -> bytes:
    """An INIT or INIT ACK chunk."""
    return struct.pack("!BBHIIHHI", kind, 0, 20 + len(parameters), tag, 65536, 1, 1, 1) + parameters


def cookie(text: str) -> bytes:
    """A state cookie parameter, padded to whole words."""
    raw = text.encode()
    raw += b" " * (-len(raw) % 4)
    return struct.pack("!HH", STATE_COOKIE, 4 + len(raw)) + raw


def is_in_kernel() -> bool:
    """Whether this kernel speaks SCTP now; it may be able to, and is not asked to load what nobody uses."""
    return Path("/proc/sys/net/sctp").exists()


def stream_socket(version: int) -> socket.socket:
    """A socket of the kernel's own SCTP."""
    return socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_STREAM, PROTOCOL)


def raw_socket(version: int) -> socket.socket:
    """A socket that sends and receives whole SCTP packets."""
    return socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_RAW, PROTOCOL)


def payload(received: bytes, version: int) -> bytes:
    """What was received, without the IPv4 header that raw sockets keep."""
    return received[(received[0] & 15) * 4 :] if version == 4 else received
