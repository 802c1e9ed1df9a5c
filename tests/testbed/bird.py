"""bird, the BGP daemon: Debian's own build, unpacked into the cache.

It is never installed, so no service of the package ever starts on the machine.
"""

import fcntl
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from testbed import build

PACKAGE, OLD_PACKAGE = "bird2", "bird"
"""BIRD 2, and BIRD 1.6, whose configuration is another language."""


def program(name: str = "bird", package: str = PACKAGE) -> Path:
    """`bird` or `birdc`, fetched and unpacked now if it was not before."""
    root = build.cache_folder() / "bin" / package
    if not root.exists():
        root.parent.mkdir(parents=True, exist_ok=True)
        with root.with_name(f".{package}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not root.exists():
                build.say(f"Fetching {package}")
                _fetch(root, package)
    return root / "usr" / "sbin" / name


def _fetch(root: Path, package: str) -> None:
    with tempfile.TemporaryDirectory(dir=root.parent) as name:
        folder = Path(name)
        _succeed(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package], folder)
        (archive,) = folder.glob("*.deb")
        _succeed(["dpkg-deb", "-x", str(archive), str(folder / "root")], folder)
        (folder / "root").rename(root)


def _succeed(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise build.BuildError(f"{' '.join(command)} failed: {done.stderr.strip()}")
