"""Programs at control groups: they may change where a socket's packets go, or stop them, before any rule sees them.

Socket load balancers (Cilium, Calico's eBPF data plane) translate a Service's address in connect(); systemd's filters
of a unit stop packets. What counts for a process are the programs of its group and of all groups above.

Kernel: kernel/bpf/cgroup.c, include/uapi/linux/bpf.h; cgroup_namespaces(7), proc_pid_mountinfo(5)
"""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from packetpath_agent import files
from packetpath_agent.collectors.programs import query
from packetpath_agent.netns import inside_cgroups

ATTACH_TYPES = {
    "cgroup_inet_ingress": 0,
    "cgroup_inet_egress": 1,
    "cgroup_inet_sock_create": 2,
    "cgroup_inet4_connect": 10,
    "cgroup_inet6_connect": 11,
    "cgroup_udp4_sendmsg": 14,
    "cgroup_udp6_sendmsg": 15,
}
"""Places where a program decides about packets of sockets, as bpftool calls them (`enum bpf_attach_type`)."""
BPF_F_QUERY_EFFECTIVE = 1


def programs(pids: Iterable[int]) -> tuple[str, ...]:
    """The places with a program that counts for any of these processes; without a process: for all of the node's.

    Raises FileNotFoundError where no hierarchy of cgroup2 is mounted, and OSError where not all groups can be seen.
    """
    node = _witness()
    descriptor = os.open(node / "ns/cgroup", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with inside_cgroups(descriptor):
            mount = mounted(node)
            groups = {group for pid in pids if (group := _group_of(pid))} or {"/"}
    finally:
        os.close(descriptor)
    found: set[str] = set()
    for group in groups:
        with suppress(FileNotFoundError):
            found |= _at(Path(f"{node}/root{mount}{group}"))
    return tuple(name for name in ATTACH_TYPES if name in found)


def _witness() -> Path:
    """A process that sees the node's own files and groups: the one by whose root the node's files are seen, or this one.

    `ip netns exec` hides the groups behind a /sys of its own; whoever called it still sees them.
    """
    root = Path(files.host_root())
    if root.parts[1:2] == ("proc",):
        return root.parent
    own = Path("/proc/self")
    return next((each for each in (own, *_ancestors()) if _sees_groups(each)), own)


def _ancestors() -> Iterator[Path]:
    """The processes that started this one, from its parent up."""
    pid = os.getppid()
    while pid > 0:
        yield (process := Path(f"/proc/{pid}"))
        try:
            pid = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return


@cache
def _sees_groups(process: Path) -> bool:
    try:
        return bool(mounted(process)) and os.access(process / "ns/cgroup", os.R_OK)
    except OSError:
        return False


def _at(folder: Path) -> set[str]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return {
            name for name, kind in ATTACH_TYPES.items() if query(descriptor, kind, BPF_F_QUERY_EFFECTIVE) > 0
        }
    finally:
        os.close(descriptor)


@cache
def mounted(process: Path) -> str:
    """Where a process sees the root of cgroup2; looked up once, for a node's list of mounts is long.

    Raises FileNotFoundError where none is mounted, and OSError where only a part of it is.
    """
    partly = False
    for line in (process / "mountinfo").read_text(errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            if before.split()[3] == "/":
                return before.split()[4].encode().decode("unicode_escape")
            partly = True
    if partly:
        raise OSError(errno.EXDEV, "only a part of cgroup2 is mounted")
    raise FileNotFoundError("no cgroup2 is mounted")


def _group_of(pid: int) -> str:
    """The group of a process in cgroup2; empty where it is gone. Raises OSError where no path leads there."""
    lines: list[str] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        lines = Path(f"/proc/{pid}/cgroup").read_text(errors="replace").splitlines()
    group = next((line[3:] for line in lines if line.startswith("0::")), "")
    if ".." in Path(group).parts:
        raise OSError(errno.EXDEV, "a process is outside of the control groups that can be seen")
    return group
