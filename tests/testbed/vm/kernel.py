"""The virtual machine's kernel: Debian's own, taken from its package and kept in the cache.

It has what the kernel of a test machine may lack: ip_vs, wireguard, ipip, geneve, dummy, SCTP sockets.
"""

import gzip
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed import build, machine

GUEST = "PACKETPATH_GUEST"
"""Set inside of the virtual machine."""
INIT = Path(__file__).with_name("init")
PACKAGE = "linux-image-amd64"
"""Debian's newest kernel; the package that this one depends on holds the files."""
FIRST_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
"""What the first process needs before it sees the host's files, where all other modules are."""
PACKAGES = Path(__file__).with_name("packages.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A kernel that is unpacked, and the first files that it sees."""

    image: Path
    modules: Path
    """The folder lib/modules."""
    initrd: Path


def why_not_run() -> str | None:
    """Why the virtual machine cannot run here, or None. In itself it runs already."""
    if os.environ.get(GUEST):
        return None
    if platform.machine() != "x86_64":
        return f"The virtual machine's kernel is for x86_64, and this is {platform.machine()}."
    if os.geteuid() != 0:
        return "The virtual machine needs root, whose files it shows to its guest."
    missing = {each.package for each in machine.requirements(PACKAGES) if not each.met()}
    if missing:
        return f"The virtual machine needs Debian's packages: apt-get install {' '.join(sorted(missing))}."
    return None


def prepared() -> Kernel:
    """The kernel, fetched and unpacked now if it was not before."""
    folder = build.cache_folder() / "vm"
    root = folder / "root"
    if not root.exists():
        build.say("Fetching a kernel for the virtual machine")
        _fetch(root)
    (version,) = (path.name for path in (root / "lib/modules").iterdir())
    initrd = folder / f"initrd-{version}-{hashlib.sha256(INIT.read_bytes()).hexdigest()[:12]}.gz"
    if not initrd.exists():
        _pack(root, version, initrd)
    return Kernel(image=root / "boot" / f"vmlinuz-{version}", modules=root / "lib/modules", initrd=initrd)


def _fetch(root: Path) -> None:
    depends = _succeed(["apt-cache", "depends", PACKAGE])
    names = [line.split()[1] for line in depends.splitlines() if "Depends:" in line]
    if not names:
        raise build.BuildError(f"apt knows no {PACKAGE}: apt-get update makes it look.")
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as name:
        folder = Path(name)
        _succeed(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", names[0]], cwd=folder)
        (archive,) = folder.glob("*.deb")
        _succeed(["dpkg-deb", "-x", str(archive), str(folder / "root")])
        (version,) = (path.name for path in (folder / "root/lib/modules").iterdir())
        _succeed(["depmod", "-b", str(folder / "root"), version])
        (folder / "root").rename(root)


def _pack(root: Path, version: str, initrd: Path) -> None:
    """The archive of first files: busybox, `init`, and modules whose names say the order to load them in."""
    with tempfile.TemporaryDirectory(dir=initrd.parent) as name:
        folder = Path(name)
        for each in ("bin", "proc", "sys", "dev", "host", "layer", "new", "lib/modules"):
            (folder / each).mkdir(parents=True)
        shutil.copy(
            shutil.which("busybox", path=machine.SYSTEM_PATH) or "/bin/busybox", folder / "bin/busybox"
        )
        shutil.copy(INIT, folder / "init")
        (folder / "init").chmod(0o755)
        for index, module in enumerate(_modules(root, version)):
            shutil.copy(module, folder / "lib/modules" / f"{index:02}-{module.name}")
        files = "\n".join(str(path.relative_to(folder)) for path in sorted(folder.rglob("*")))
        packed = subprocess.run(
            ["cpio", "--quiet", "-o", "-H", "newc"],
            input=files.encode(),
            cwd=folder,
            capture_output=True,
            check=True,
        )
    unfinished = initrd.with_name(f".{initrd.name}.{os.getpid()}")
    unfinished.write_bytes(gzip.compress(packed.stdout))
    unfinished.rename(initrd)


def _modules(root: Path, version: str) -> list[Path]:
    """The files of the first modules, each after those that it needs."""
    needed: dict[Path, None] = {}
    for name in FIRST_MODULES:
        told = _succeed(["modprobe", "-d", str(root), "-S", version, "--show-depends", name])
        needed |= {Path(line.split()[1]): None for line in told.splitlines() if line.startswith("insmod")}
    return list(needed)


def _succeed(command: Sequence[str], cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise build.BuildError(f"{' '.join(command)} failed ({done.returncode}):\n{done.stderr[-3000:]}")
    return done.stdout
