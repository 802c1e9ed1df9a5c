"""What this machine must have before a cluster can run on it, said in one sentence when it is missing."""

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from testbed.spec import ClusterSpec, Proxy

GO_NEEDED = (1, 26)
PACKAGES = Path(__file__).with_name("packages.txt")
INOTIFY_OF_CONTROL_PLANE, INOTIFY_OF_NODE = 4, 8
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class MissingOnMachineError(Exception):
    """The test bed cannot work here; the message says what to install or change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A program or file, and the package that brings it."""

    what: str
    package: str

    def met(self) -> bool:
        """Whether it is there."""
        if self.what.startswith("/"):
            return Path(self.what).exists()
        return shutil.which(self.what, path=SYSTEM_PATH) is not None


def requirements(listed: Path = PACKAGES) -> tuple[Requirement, ...]:
    """Everything the test bed, or a part of it with a list of its own, uses of the system."""
    lines = (line.split() for line in listed.read_text().splitlines() if line and not line.startswith("#"))
    return tuple(Requirement(what=what, package=package) for what, package in lines)


def go_program() -> str | None:
    """Where Go is: on the PATH, or where its own archive puts it."""
    return shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


def why_not_build() -> str | None:
    """Why programs cannot be built here, or None."""
    if go_program() is None:
        return f"Go {GO_NEEDED[0]}.{GO_NEEDED[1]} or newer is missing: install it from https://go.dev/dl/."
    return _missing_packages()


def why_not_run() -> str | None:
    """Why a cluster cannot run here, or None."""
    if sys.platform != "linux":
        return f"A cluster needs Linux namespaces, and this is {sys.platform}."
    if os.geteuid() != 0:
        return "A cluster needs root: run this as root (sudo)."
    return _missing_packages()


def why_not_proxies(spec: ClusterSpec) -> str | None:
    """Why this machine's kernel cannot run one of the proxies, or None."""
    if (
        any(spec.proxy_of(node.name) is Proxy.IPVS for node in spec.nodes)
        and not Path("/proc/net/ip_vs").exists()
    ):
        return "This kernel has no ip_vs (modprobe ip_vs loads it where it is a module); the virtual machine's has it."
    return None


def why_not_links(kind: str | None) -> str | None:
    """Why this machine's kernel cannot make devices of a kind, or None. To try it is the only sure way to know."""
    # The kernel makes tunl0 and its like by itself, and only one tunnel with the same ends.
    ends = ["local", "192.0.2.1", "remote", "192.0.2.2"] if kind == "ipip" else []
    command = ["unshare", "--net", "ip", "link", "add", "probe", "type", str(kind), *ends]
    if kind is None or subprocess.run(command, capture_output=True, check=False).returncode == 0:
        return None
    return f"This kernel has no {kind} (modprobe {kind} loads it where it is a module); the virtual machine's has it."


def why_not_another(spec: ClusterSpec) -> str | None:
    """Why there is no room for one cluster more, or None."""
    needed = INOTIFY_OF_CONTROL_PLANE + INOTIFY_OF_NODE * len(spec.nodes)
    limit = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    if (free := limit - _inotify_instances()) >= needed:
        return None
    return (
        f"This cluster needs about {needed} inotify instances, and {free} of {limit} are free: take another one down "
        f"(python -m testbed list), or raise the limit (sysctl fs.inotify.max_user_instances=1024)."
    )


def check(*reasons: str | None) -> None:
    """Stop with the first reason there is."""
    for reason in reasons:
        if reason is not None:
            raise MissingOnMachineError(reason)


def _inotify_instances() -> int:
    """How many of them root's processes have: the limit is per user."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):
            count += sum(str(each.readlink()) == "anon_inode:inotify" for each in folder.iterdir())
    return count


def _missing_packages() -> str | None:
    missing = [each for each in requirements() if not each.met()]
    if not missing:
        return None
    packages = " ".join(sorted({each.package for each in missing}))
    names = ", ".join(each.what for each in missing)
    return f"Missing on this machine: {names}; `make testbed-packages` (or: apt-get install {packages}) brings it."
