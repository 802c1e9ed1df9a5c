"""A program of the cluster that runs in the background: started, found again, stopped, killed."""

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import which

from testbed import machine
from testbed.state import State

LAUNCH = Path(__file__).with_name("launch.sh")
LOG_TAIL_BYTES = 4000
LOOKS = 10


class ComponentDiedError(Exception):
    """A program ended on its own; the message holds the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One program, in a control group of its own by which it is found again."""

    state: State
    place: str
    """`control`, or the node that it runs on."""
    name: str
    prefix: tuple[str, ...]
    """What to put before the command so that it runs in its place."""
    command: tuple[str, ...]
    """The program and its arguments."""
    environment: Mapping[str, str]
    group_of_place: bool = False
    """Whether it starts in the group of the whole place, to move to its own later."""

    @property
    def title(self) -> str:
        """Such as `node1/kubelet`."""
        return f"{self.place}/{self.name}"

    @property
    def log(self) -> Path:
        """What it writes."""
        return self.state.log(self.title)

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.running():
            return
        groups = self.state.group.leaf(self.place).create(None if self.group_of_place else self.name)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        environment = {"PATH": machine.SYSTEM_PATH, "HOME": "/root"} | _go_settings() | dict(self.environment)
        subprocess.run(
            [str(LAUNCH), str(self.log), *map(str, groups), "--", *self.prefix, *self.command],
            env=environment,
            check=True,
        )

    def pids(self) -> list[int]:
        """The program's own processes. Its group may hold others that outlive it, such as containerd's shims."""
        return self._pids_of(frozenset({Path(self.command[0]).resolve()}))

    def running(self) -> bool:
        """Whether it runs, or is on its way. Between two looks a process may have become the next one."""
        wanted = _launchers() | {Path(self.command[0]).resolve()}
        for _ in range(LOOKS):
            if self._pids_of(wanted):
                return True
            if not self.state.group.leaf(self.title).pids():
                return False
            time.sleep(0.01)
        return False

    def _pids_of(self, programs: frozenset[Path]) -> list[int]:
        return [pid for pid in self.state.group.leaf(self.title).pids() if _program_of(pid) in programs]

    def expect_running(self) -> None:
        """Stop with its log when it has ended."""
        if not self.running():
            raise ComponentDiedError(f"{self.title} has ended. The end of {self.log}:\n{self.log_tail()}")

    def kill(self) -> None:
        """SIGKILL; its children in the same group end with it."""
        self.state.group.leaf(self.title).kill()

    def freeze(self, frozen: bool) -> None:
        """Stop it where it is, or let it go on."""
        self.state.group.leaf(self.title).freeze(frozen)

    def log_tail(self) -> str:
        """The end of what it wrote."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - LOG_TAIL_BYTES))
            return log.read().decode(errors="replace")


def _go_settings() -> dict[str, str]:
    """What Go's runtime was told: an emulated machine, say, spends its time better than on collecting garbage."""
    return {name: value for name, value in os.environ.items() if name in ("GODEBUG", "GOGC", "GOMAXPROCS")}


@cache
def _launchers() -> frozenset[Path]:
    """What runs in a component's group before the component does, or as its parent."""
    names = ("sh", "setsid", "nsenter", "env")
    return frozenset(Path(which(name, path=machine.SYSTEM_PATH) or name).resolve() for name in names)


def _program_of(pid: int) -> Path | None:
    try:
        return Path(f"/proc/{pid}/exe").readlink()
    except OSError:  # it has just ended
        return None
