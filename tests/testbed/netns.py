"""Network namespaces with names, and what is done inside of them."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from testbed.waiting import PATIENCE

FOLDER = Path("/run/netns")
OWN = f"ppk{os.getpid()}-"
"""What the names of this run's own namespaces begin with, so that two runs on one machine do not meet."""
RUNS = re.compile(r"ppk(\d+)-")


class CommandError(Exception):
    """A command failed; the message holds what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """One network namespace that `ip netns` knows."""

    name: str

    @property
    def path(self) -> Path:
        """The file that holds it."""
        return FOLDER / self.name

    @property
    def enter(self) -> list[str]:
        """What to put before a command so that it runs inside.

        Not `ip netns exec`, which would mount /sys anew and hide the control groups.
        """
        return ["nsenter", f"--net={self.path}"]

    def exists(self) -> bool:
        """Whether it is there."""
        return self.path.exists()

    def create(self) -> None:
        """Make it, with its loopback up."""
        _sweep()
        succeed(["ip", "netns", "add", self.name])
        self.ip("link set lo up")

    def delete(self) -> None:
        """Remove its name; the kernel removes the rest with its last process."""
        succeed(["ip", "netns", "delete", self.name])

    def ip(self, *lines: str) -> None:
        """Run `ip` commands inside, all with one call."""
        batch(self.name, lines)

    def sysctls(self, values: Mapping[str, int | str]) -> None:
        """Set kernel parameters inside; names are paths below /proc/sys."""
        script = "".join(f"echo {value} > /proc/sys/{name}\n" for name, value in values.items())
        succeed([*self.enter, "sh", "-e"], stdin=script)


def batch(namespace: str | None, lines: Sequence[str]) -> None:
    """Run `ip` commands in a namespace, or in the machine's own."""
    inside = ["-n", namespace] if namespace else []
    succeed(["ip", *inside, "-batch", "-"], stdin="".join(f"{line}\n" for line in lines))


def succeed(command: Sequence[str], stdin: str | None = None, timeout_seconds: float = 60) -> str:
    """Run a command that must succeed; what it printed."""
    done = subprocess.run(
        list(command),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_seconds * PATIENCE,
    )
    if done.returncode != 0:
        given = f"\n{stdin}" if stdin else ""
        raise CommandError(f"{' '.join(command)} failed ({done.returncode}): {done.stderr.strip()}{given}")
    return done.stdout


def namespaces_named(prefix: str) -> list[Namespace]:
    """The namespaces whose name starts so."""
    if not FOLDER.is_dir():
        return []
    return [Namespace(name=path.name) for path in sorted(FOLDER.glob(f"{prefix}*"))]


@cache
def _sweep() -> None:
    """Once: remove what runs left that were killed."""
    for namespace in namespaces_named("ppk"):
        run = RUNS.match(namespace.name)
        if run is not None and not Path(f"/proc/{run[1]}").exists():
            with suppress(CommandError):  # another run was quicker
                namespace.delete()
