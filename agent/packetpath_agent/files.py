"""Files of the node and of its pods, bounded in size, and never outside of the root that they belong to.

A pod chooses what its links point at and what stands at a well-known name: a device or a pipe is never opened.

Kernel: openat2(2) (RESOLVE_IN_ROOT)
"""

import ctypes
import errno
import os
import stat
import struct
from pathlib import Path

OPENAT2 = 437
RESOLVE_NO_MAGICLINKS, RESOLVE_IN_ROOT = 0x02, 0x10
MOST_BYTES = 65536
_LIBC = ctypes.CDLL(None, use_errno=True)


def host_root() -> str:
    """Where the node's own files are seen."""
    return os.environ.get("PACKETPATH_HOST_ROOT") or "/"


def on_host(*parts: str) -> Path:
    """A path of the node's own."""
    return Path(host_root(), *parts)


def inside(root: str, path: str) -> str:
    """The text of a regular file below this root, at most 64 KiB; raises OSError."""
    folder = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        place = _opened(folder, path)
    finally:
        os.close(folder)
    try:
        if not stat.S_ISREG(os.fstat(place).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", path)
        with Path(f"/proc/self/fd/{place}").open("rb") as stream:
            return stream.read(MOST_BYTES).decode("utf-8", "backslashreplace")
    finally:
        os.close(place)


def _opened(folder: int, path: str) -> int:
    flags = os.O_PATH | os.O_CLOEXEC
    how = ctypes.create_string_buffer(
        struct.pack("=QQQ", flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), 24
    )
    found = int(_LIBC.syscall(OPENAT2, folder, os.fsencode(path), how, ctypes.c_size_t(24)))
    if found >= 0:
        return found
    number = ctypes.get_errno()
    if number != errno.ENOSYS:
        raise OSError(number, os.strerror(number), path)
    return _opened_without_links(folder, path)


def _opened_without_links(folder: int, path: str) -> int:
    """For kernels before 5.6: no link is followed at all."""
    here = os.dup(folder)
    for part in Path(path).parts:
        try:
            further = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
        finally:
            os.close(here)
        here = further
    return here
