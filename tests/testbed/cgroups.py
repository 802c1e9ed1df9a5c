"""Control groups: how the test bed knows, for certain, which processes belong to a cluster.

Every process of a cluster is started inside its group, and so are all children that it will ever have. The groups
need no bookkeeping that a crash could lose: to find a component, read its group; to end a cluster, kill its group.
Kernel: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/
"""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from testbed.machine import MissingOnMachineError

PREFIX = "ppt-"
ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = frozenset({"cpu", "cpuset", "io", "memory", "pids"})
"""What runc and the kubelet need on nodes, where cgroup2 has it."""


@cache
def unified() -> Path:
    """Where the cgroup2 hierarchy is, which holds one group per component."""
    for folder in (ROOT, ROOT / "unified"):
        if (folder / "cgroup.procs").exists() and (folder / "cgroup.controllers").exists():
            return folder
    raise MissingOnMachineError(
        "A cluster needs cgroup2: mount -t cgroup2 none /sys/fs/cgroup/unified brings it."
    )


@cache
def legacy() -> tuple[Path, ...]:
    """The hierarchies of cgroup v1, on machines that still have them."""
    if unified() == ROOT:
        return ()
    return tuple(
        sorted(path for path in ROOT.iterdir() if path != unified() and (path / "cgroup.procs").exists())
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One control group, in every hierarchy."""

    path: str
    """Such as `ppt-dev/node1`."""

    @property
    def folder(self) -> Path:
        """Its folder in the cgroup2 hierarchy."""
        return unified() / self.path

    def create(self, leaf: str | None = None) -> list[Path]:
        """Make it, and return the folders that a process has to join: the leaf exists in cgroup2 alone."""
        joined = [self.folder / leaf if leaf else self.folder]
        for hierarchy in legacy():
            folder = hierarchy / self.path
            folder.mkdir(parents=True, exist_ok=True)
            if hierarchy.name == "cpuset":
                _inherit_cpuset(hierarchy, self.path)
            joined.append(folder)
        joined[0].mkdir(parents=True, exist_ok=True)
        for parent in reversed(self.folder.relative_to(unified()).parents):
            _hand_down(unified() / parent)
        return joined

    def join(self, pids: Iterable[int]) -> None:
        """Move processes into it, in the cgroup2 hierarchy."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for pid in pids:
            (self.folder / "cgroup.procs").write_text(str(pid))

    def leaf(self, name: str) -> "Group":
        """A group inside of this one."""
        return Group(path=f"{self.path}/{name}")

    def pids(self) -> list[int]:
        """The processes that are directly in this group, oldest first."""
        try:
            return sorted(int(pid) for pid in (self.folder / "cgroup.procs").read_text().split())
        except FileNotFoundError:
            return []

    def all_pids(self) -> list[int]:
        """The processes in this group and in those below."""
        folders = [self.folder, *(path.parent for path in self.folder.rglob("cgroup.procs"))]
        names = {str(folder.relative_to(unified())) for folder in folders if folder.exists()}
        return sorted({pid for name in names for pid in Group(path=name).pids()})

    def populated(self) -> bool:
        """Whether any process is in it or below."""
        try:
            return "populated 1" in (self.folder / "cgroup.events").read_text()
        except FileNotFoundError:
            return False

    def freeze(self, frozen: bool) -> None:
        """Stop all its processes where they are, or let them go on."""
        (self.folder / "cgroup.freeze").write_text("1" if frozen else "0")

    def kill(self, timeout_seconds: float = 10) -> None:
        """SIGKILL to every process in it and below, until none is left."""
        deadline = time.monotonic() + timeout_seconds
        while self.populated():
            if (self.folder / "cgroup.kill").exists():
                (self.folder / "cgroup.kill").write_text("1")
            else:
                for pid in self.all_pids():
                    kill_quietly(pid)
            if time.monotonic() > deadline:
                raise TimeoutError(f"Processes of {self.path} do not end: {self.all_pids()}")
            time.sleep(0.01)

    def remove(self) -> None:
        """Remove the group, and all below, from every hierarchy. No process may be left."""
        for hierarchy in (unified(), *legacy()):
            top = hierarchy / self.path
            if not top.exists():
                continue
            for folder in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
                _remove_folder(folder)
            _remove_folder(top)


def _hand_down(folder: Path) -> None:
    """Let the groups below have the controllers that this one has. A group with processes of its own cannot."""
    available = CONTROLLERS & set((folder / "cgroup.controllers").read_text().split())
    missing = available - set((folder / "cgroup.subtree_control").read_text().split())
    if missing:
        (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in sorted(missing)))


def groups_named(prefix: str) -> list[Group]:
    """The top groups, in any hierarchy, whose name starts so."""
    names = {path.name for hierarchy in (unified(), *legacy()) for path in hierarchy.glob(f"{prefix}*")}
    return [Group(path=name) for name in sorted(names)]


def kill_quietly(pid: int) -> None:
    """SIGKILL, unless the process is already gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _inherit_cpuset(hierarchy: Path, path: str) -> None:
    folder = hierarchy
    for part in path.split("/"):
        for setting in ("cpuset.cpus", "cpuset.mems"):
            (folder / part / setting).write_text((folder / setting).read_text())
        folder = folder / part


def _remove_folder(folder: Path, timeout_seconds: float = 5) -> None:
    deadline = time.monotonic() + timeout_seconds
    while folder.exists():
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:  # a process that was killed is still on its way out
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
