"""Legacy iptables tables: each one a blob behind a socket option, read in one piece.

Kernel: net/ipv4/netfilter/ip_tables.c (IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES), net/ipv6/netfilter/ip6_tables.c
"""

import ctypes
import errno
import io
import mmap
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
COPIED_BYTES = 1 << 20
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
            info = bytearray(name.encode().ljust(_INFO.size, b"\0"))
            _fill(sock, level, GET_INFO, info)
            described = _INFO.unpack(info)
            valid, size = described[1], described[13]
            try:
                blob = _entries(sock, level, name, size)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    continue
                raise
            return LegacyTable(
                family=family,
                name=name,
                valid_hooks=valid,
                hook_entry=_valid(valid, described[2:7]),
                underflow=_valid(valid, described[7:12]),
                blob=blob,
            )
    raise OSError(errno.EAGAIN, f"table {name} keeps changing")


def _valid(hooks: int, offsets: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(offset if hooks >> hook & 1 else -1 for hook, offset in enumerate(offsets))


def _entries(sock: socket.socket, level: int, name: str, size: int) -> bytes:
    """The table's bytes; what was copied is given back at once, or a big table would stand in memory twice."""
    found = io.BytesIO()
    with mmap.mmap(-1, HEAD_BYTES + size) as area:
        struct.pack_into("=32sI4x", area, 0, name.encode(), size)
        _fill(sock, level, GET_ENTRIES, area)
        start = HEAD_BYTES
        for end in range(COPIED_BYTES, HEAD_BYTES + size + COPIED_BYTES, COPIED_BYTES):
            found.write(area[start:end])
            start = end
            if end < HEAD_BYTES + size:
                area.madvise(mmap.MADV_DONTNEED, end - COPIED_BYTES, COPIED_BYTES)
    return found.getvalue()


def _fill(sock: socket.socket, level: int, option: int, area: bytearray | mmap.mmap) -> None:
    """`getsockopt` that hands a value in as well, which the standard library's cannot."""
    length = ctypes.c_uint32(len(area))
    buffer = (ctypes.c_char * len(area)).from_buffer(area)
    failed = _LIBC.getsockopt(sock.fileno(), level, option, buffer, ctypes.byref(length)) != 0
    number = ctypes.get_errno()
    del buffer
    if failed:
        raise OSError(number, os.strerror(number))
