"""Container images without a registry: packed from programs that the test bed built."""

import os
from pathlib import Path

from testbed import build
from testbed.oci import Image

PAUSE = "localhost/pause:1"
AGNHOST = "localhost/agnhost:1"
COREDNS = "localhost/coredns:1"


def standard(*, dns: bool) -> tuple[Path, ...]:
    """The archives of the images that every node has."""
    wanted = [(PAUSE, "pause", "pause"), (AGNHOST, "kubernetes", "agnhost")]
    if dns:
        wanted.append((COREDNS, "coredns", "coredns"))
    return tuple(
        _archive(
            set_name,
            Image(name=name, entrypoint=(f"/{program}",), files={program: program_path(set_name, program)}),
        )
        for name, set_name, program in wanted
    )


def program_path(set_name: str, program: str) -> Path:
    """A program of a set that is built."""
    return build.program_set(set_name).target / program


def _archive(set_name: str, image: Image) -> Path:
    short = image.name.rpartition("/")[2].partition(":")[0]
    archive = build.cache_folder() / "images" / f"{short}-{build.program_set(set_name).key}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        unfinished = archive.with_name(f".{archive.name}.{os.getpid()}")
        image.pack(unfinished)
        unfinished.rename(archive)
    return archive
