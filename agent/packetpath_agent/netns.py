"""Network namespaces of this machine: finding them, entering them, and what they call each other.

Kernel: setns(2), namespaces(7), net/core/net_namespace.c (RTM_GETNSID)
"""

import ctypes
import os
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from kubectl_packetpath.snapshot import NamespacePeer
from kubectl_packetpath.snapshot.netlink import attribute, attribute_map
from packetpath_agent import files
from packetpath_agent.wire import NETLINK_ROUTE, Netlink

CLONE_NEWNET, CLONE_NEWCGROUP = 0x40000000, 0x02000000
RTM_GETNSID = 90
NETNSA_NSID, NETNSA_FD = 1, 3
_LIBC = ctypes.CDLL(None, use_errno=True)
FOLDERS = ("run/netns", "var/run/netns", "run/docker/netns")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A network namespace and a way into it."""

    identity: int
    path: Path
    """`/proc/PID/ns/net`, or a file on which it is mounted."""
    pid: int | None = None
    """A process inside."""
    name: str = ""
    pids: tuple[int, ...] = ()
    """All processes inside."""


def inside(descriptor: int) -> AbstractContextManager[None]:
    """Be in another network namespace for a while. Sockets opened there stay there."""
    return _within(descriptor, "net", CLONE_NEWNET)


def inside_cgroups(descriptor: int) -> AbstractContextManager[None]:
    """Be in another namespace of control groups for a while: paths of groups are as it sees them."""
    return _within(descriptor, "cgroup", CLONE_NEWCGROUP)


@contextmanager
def _within(descriptor: int, kind: str, flag: int) -> Iterator[None]:
    home = os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(descriptor, flag)
        try:
            yield
        finally:
            _enter(home, flag)
    finally:
        os.close(home)


def _enter(descriptor: int, flag: int) -> None:
    if _LIBC.setns(descriptor, flag) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"entering a namespace: {os.strerror(number)}")


def own() -> Found:
    """The namespace that this process is in: the node's own, in a pod with hostNetwork."""
    path = Path("/proc/thread-self/ns/net")
    return Found(identity=path.stat().st_ino, path=path, pid=os.getpid())


def others() -> tuple[Found, ...]:
    """All other namespaces that a process is in, or that have a name."""
    home = own().identity
    found = {each.identity: each for each in _of_processes() if each.identity != home}
    for entry in _named():
        try:
            status = entry.stat()
        except OSError:
            continue
        name = os.fsencode(entry.name).decode("utf-8", "backslashreplace")
        before = found.get(status.st_ino)
        if before is not None:
            found[status.st_ino] = replace(before, name=name)
        elif status.st_ino != home and status.st_size == 0 and entry.is_file():
            found[status.st_ino] = Found(identity=status.st_ino, path=entry, name=name)
    return tuple(found.values())


def _of_processes() -> Iterator[Found]:
    inhabitants: dict[int, list[int]] = defaultdict(list)
    for pid in sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        try:
            inhabitants[Path(f"/proc/{pid}/ns/net").stat().st_ino].append(pid)
        except OSError:
            continue
    for identity, pids in inhabitants.items():
        first = pids[0]
        yield Found(identity=identity, path=Path(f"/proc/{first}/ns/net"), pid=first, pids=tuple(pids))


def _named() -> Iterator[Path]:
    for folder in FOLDERS:
        try:
            yield from sorted(files.on_host(folder).iterdir())
        except OSError:
            continue


def peers(descriptors: Mapping[int, int]) -> tuple[NamespacePeer, ...]:
    """What the present namespace calls others, given an open file of each by identity."""
    wire = Netlink(NETLINK_ROUTE)
    found = []
    try:
        for identity, descriptor in descriptors.items():
            wanted = bytes(4) + attribute(NETNSA_FD, struct.pack("=I", descriptor))
            _, body = wire.get(RTM_GETNSID, wanted)[0]
            nsid = struct.unpack("=i", attribute_map(body[4:])[NETNSA_NSID])[0]
            if nsid >= 0:
                found.append(NamespacePeer(nsid=nsid, identity=identity))
    finally:
        wire.close()
    return tuple(found)
