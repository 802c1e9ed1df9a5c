"""Builds the programs of the test cluster from published Go modules, into a cache.

Each folder under `programs/` is one set: a `go.mod` whose `tool` lines name the programs and pin their versions, or
a `main.go` of our own. A set is built once for each content of its folder, so a warm cache costs nothing.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from testbed import machine, patching

PROGRAMS = Path(__file__).with_name("programs")
COMMON_FLAGS = ("-trimpath", "-buildvcs=false")
COMMON_LDFLAGS = "-s -w"
SOURCES = ("go.mod", "go.sum", "build.toml", "*.go", "*.go.txt")


class BuildError(Exception):
    """A set of programs does not build; the message ends with what Go said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSet:
    """One folder of programs that are built together."""

    name: str
    cgo: bool
    tags: tuple[str, ...]
    ldflags: str
    needed_by_clusters: bool
    """Whether every cluster needs it."""
    patched: tuple[patching.Patched, ...] = ()
    """Modules that are changed before it is built."""
    links: Mapping[str, str] = field(default_factory=dict)
    """More names of its programs, for those that ask how they were called."""

    @property
    def folder(self) -> Path:
        """Where its go.mod is."""
        return PROGRAMS / self.name

    @property
    def source(self) -> Path:
        """Where Go builds it: where its go.mod is, or a copy with the changed modules."""
        return cache_folder() / "src" / f"{self.name}-{self.key}" if self.patched else self.folder

    @property
    def key(self) -> str:
        """A short name for exactly this content and these flags."""
        return _key(self.folder, repr((COMMON_FLAGS, self.ldflags, self.tags, self.cgo)))

    @property
    def target(self) -> Path:
        """The folder that holds its programs once they are built."""
        return cache_folder() / "bin" / f"{self.name}-{self.key}"


def cache_folder() -> Path:
    """Where everything that can be made again is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "packetpath-testbed"


@cache
def program_sets() -> tuple[ProgramSet, ...]:
    """All sets, in alphabetical order."""
    return tuple(_read_set(folder.parent) for folder in sorted(PROGRAMS.glob("*/go.mod")))


def program_set(name: str) -> ProgramSet:
    """The set with this name."""
    for each in program_sets():
        if each.name == name:
            return each
    raise BuildError(
        f"There is no set of programs {name!r}; there are: {', '.join(s.name for s in program_sets())}."
    )


def build(*names: str) -> dict[str, Path]:
    """Build the named sets (all of them when none is named); the folder of each."""
    chosen = tuple(program_set(name) for name in names) or program_sets()
    if any(not each.target.exists() for each in chosen):
        machine.check(machine.why_not_build())
        with _alone():
            for each in chosen:
                if not each.target.exists():
                    _build_set(each)
    return {each.name: each.target for each in chosen}


@contextmanager
def _alone() -> Iterator[None]:
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another run is building; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@cache
def _key(folder: Path, flags: str) -> str:
    """Read once: it is asked for again and again, and some machines read slowly."""
    digest = hashlib.sha256(flags.encode())
    for source in sorted(path for pattern in SOURCES for path in folder.rglob(pattern)):
        digest.update(f"{source.relative_to(folder)}\0".encode() + source.read_bytes())
    return digest.hexdigest()[:12]


def _read_set(folder: Path) -> ProgramSet:
    settings = folder / "build.toml"
    read = tomllib.loads(settings.read_text()) if settings.exists() else {}
    return ProgramSet(
        name=folder.name,
        cgo=read.get("cgo", False),
        tags=tuple(read.get("tags", ())),
        needed_by_clusters=not read.get("optional", False),
        patched=tuple(patching.Patched.from_toml(each) for each in read.get("patched", ())),
        links=read.get("links", {}),
        ldflags=f"{COMMON_LDFLAGS} {read.get('ldflags', '')}".strip(),
    )


def _build_set(each: ProgramSet) -> None:
    say(f"Building {each.name} (a cold cache takes minutes, a warm one seconds)")
    started = time.monotonic()
    unfinished = each.target.with_name(f".{each.target.name}.{os.getpid()}")
    unfinished.mkdir(parents=True, exist_ok=True)
    flags = [
        *COMMON_FLAGS,
        "-mod=readonly",
        "-ldflags",
        each.ldflags,
        *(["-tags", ",".join(each.tags)] if each.tags else []),
    ]
    if each.patched:
        patching.lay_out(each.folder, each.source, each.patched)
    if (each.folder / "main.go").exists():
        _go(each, unfinished, "build", *flags, "-o", str(unfinished / each.name), ".")
    if "\ntool " in (each.folder / "go.mod").read_text():
        _go(each, unfinished, "install", *flags, "tool")
    for name, program in each.links.items():
        (unfinished / name).unlink(missing_ok=True)
        (unfinished / name).symlink_to(program)
    unfinished.rename(each.target)
    say(f"Built {each.name} in {time.monotonic() - started:.0f} s")


def _go(each: ProgramSet, target: Path, *arguments: str) -> None:
    environment = os.environ | {
        "CGO_ENABLED": "1" if each.cgo else "0",
        "GOBIN": str(target),
        "GOWORK": "off",
    }
    command = [machine.go_program() or "go", *arguments]
    done = subprocess.run(
        command, cwd=each.source, env=environment, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise BuildError(f"Building {each.name} failed: {' '.join(command)}\n{done.stderr[-3000:]}")


def say(words: str) -> None:
    """Progress, on standard error."""
    print(words, file=sys.stderr, flush=True)
