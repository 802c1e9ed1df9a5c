"""bird, the BGP daemon: Debian's own build, unpacked into the cache.

It is never installed, so no service of the package ever starts on the machine.
"""

import fcntl
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from testbed import build

PACKAGE = "bird2"


def program(name: str = "bird") -> Path:
    """`bird` or `birdc`, fetched and unpacked now if it was not before."""
    root = build.cache_folder() / "bin" / PACKAGE
    if not root.exists():
        root.parent.mkdir(parents=True, exist_ok=True)
        with root.with_name(f".{PACKAGE}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not root.exists():
                build.say(f"Fetching {PACKAGE}")
                _fetch(root)
    return root / "usr" / "sbin" / name


def _fetch(root: Path) -> None:
    with tempfile.TemporaryDirectory(dir=root.parent) as name:
        folder = Path(name)
        _succeed(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", PACKAGE], folder)
        (archive,) = folder.glob("*.deb")
        _succeed(["dpkg-deb", "-x", str(archive), str(folder / "root")], folder)
        (folder / "root").rename(root)


def _succeed(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise build.BuildError(f"{' '.join(command)} failed: {done.stderr.strip()}")
