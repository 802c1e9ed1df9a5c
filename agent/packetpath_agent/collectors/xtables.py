"""Legacy iptables tables: each one a blob behind a socket option, read in one piece.

Kernel: net/ipv4/netfilter/ip_tables.c (IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES), net/ipv6/netfilter/ip6_tables.c
"""

import ctypes
import errno
import os
import socket
import struct
from pathlib import Path

from kubectl_packetpath.snapshot.xtables import LegacyTable

GET_INFO, GET_ENTRIES = 64, 65
_LIBC = ctypes.CDLL(None, use_errno=True)
_INFO = struct.Struct("=32sI5I5III")
_FAMILIES = {4: (socket.AF_INET, 0, "ip_tables_names"), 6: (socket.AF_INET6, 41, "ip6_tables_names")}
MOST_TRIES = 20
HEAD_BYTES = 40
"""Before the entries: the table's name and their length."""


def tables() -> tuple[LegacyTable, ...]:
    """All loaded tables of both families; asking for another one would load it, so none is."""
    return tuple(_table(family, name) for family in _FAMILIES for name in _names(family))


def _names(family: int) -> list[str]:
    try:
        return Path("/proc/thread-self/net", _FAMILIES[family][2]).read_text().split()
    except FileNotFoundError:
        return []


def _table(family: int, name: str) -> LegacyTable:
    kind, level, _ = _FAMILIES[family]
    with socket.socket(kind, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        for _ in range(MOST_TRIES):
            info = _INFO.unpack(_option(sock, level, GET_INFO, name.encode().ljust(_INFO.size, b"\0")))
            valid, size = info[1], info[13]
            try:
                asked = bytearray(HEAD_BYTES + size)
                struct.pack_into("=32sI4x", asked, 0, name.encode(), size)
                blob = bytes(memoryview(_option(sock, level, GET_ENTRIES, asked))[HEAD_BYTES:])
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    continue
                raise
            return LegacyTable(
                family=family,
                name=name,
                valid_hooks=valid,
                hook_entry=_valid(valid, info[2:7]),
                underflow=_valid(valid, info[7:12]),
                blob=blob,
            )
    raise OSError(errno.EAGAIN, f"table {name} keeps changing")


def _valid(hooks: int, offsets: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(offset if hooks >> hook & 1 else -1 for hook, offset in enumerate(offsets))


def _option(sock: socket.socket, level: int, option: int, value: bytes | bytearray) -> bytearray:
    """`getsockopt` that hands a value in as well, which the standard library's cannot."""
    filled = bytearray(value)
    buffer = (ctypes.c_char * len(filled)).from_buffer(filled)
    length = ctypes.c_uint32(len(filled))
    if _LIBC.getsockopt(sock.fileno(), level, option, buffer, ctypes.byref(length)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return filled
