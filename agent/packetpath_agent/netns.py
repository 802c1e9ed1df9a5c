"""Network namespaces of this machine: finding them, entering them, and whose they are.

Kernel: setns(2), namespaces(7), proc_pid_mountinfo(5)
"""

import ctypes
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kubectl_packetpath.snapshot import PodReference

CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
_POD = re.compile(r"/pods/([0-9a-fA-F-]{32,36})/(?:etc-hosts|volumes|containers)")
_CGROUP = re.compile(r"pod([0-9a-fA-F]{8}[-_][0-9a-fA-F-_]{27}|[0-9a-f]{32})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A network namespace and a way into it."""

    identity: int
    path: Path
    """`/proc/PID/ns/net`, or a file on which it is mounted."""
    pid: int | None = None
    """A process inside."""
    name: str = ""


@contextmanager
def inside(descriptor: int) -> Iterator[None]:
    """Be in another network namespace for a while. Sockets opened there stay there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(descriptor)
        try:
            yield
        finally:
            _enter(home)
    finally:
        os.close(home)


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"entering a network namespace: {os.strerror(number)}")


def own() -> Found:
    """The namespace that this process is in: the node's own, in a pod with hostNetwork."""
    path = Path("/proc/self/ns/net")
    return Found(identity=path.stat().st_ino, path=path, pid=os.getpid())


def others() -> tuple[Found, ...]:
    """All other namespaces that a process is in, or that are mounted below /run/netns."""
    home = own().identity
    found: dict[int, Found] = {}
    for entry in sorted(Path("/proc").iterdir(), key=lambda path: path.name):
        if not entry.name.isdigit():
            continue
        try:
            identity = (entry / "ns/net").stat().st_ino
        except OSError:
            continue
        known = found.get(identity)
        if identity != home and (known is None or not _is_pod(known)):
            found[identity] = Found(identity=identity, path=entry / "ns/net", pid=int(entry.name))
    for folder in (Path("/run/netns"), Path("/var/run/netns")):
        for entry in _listed(folder):
            try:
                identity = entry.stat().st_ino
            except OSError:
                continue
            before = found.get(identity)
            if before is not None:
                found[identity] = Found(identity=identity, path=before.path, pid=before.pid, name=entry.name)
            elif identity != home and entry.stat().st_size == 0:
                found[identity] = Found(identity=identity, path=entry, name=entry.name)
    return tuple(found.values())


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _is_pod(found: Found) -> bool:
    return pod_of(found) is not None


def pod_of(found: Found) -> PodReference | None:
    """The pod that a namespace belongs to, by what the kubelet mounts into its containers."""
    if found.pid is None:
        return None
    for name, pattern in (("mountinfo", _POD), ("cgroup", _CGROUP)):
        try:
            text = Path(f"/proc/{found.pid}/{name}").read_text(errors="replace")
        except OSError:
            continue
        match = pattern.search(text)
        if match is not None:
            return PodReference(uid=match[1].replace("_", "-"))
    return None


def resolv_conf(found: Found) -> str:
    """The pod's /etc/resolv.conf, at most 64 KiB; raises OSError.

    The pod may be hostile: nothing outside of its own root is followed, and only a regular file is read.
    """
    root = os.open(f"/proc/{found.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        folder = os.open("etc", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            file = os.open("resolv.conf", flags, dir_fd=folder)
        finally:
            os.close(folder)
    finally:
        os.close(root)
    with os.fdopen(file, "rb") as stream:
        return stream.read(65536).decode("utf-8", "backslashreplace")
