"""The product's own image, built by its own Dockerfile, on a machine without Docker and without a registry.

The Dockerfile names a base image. Where no registry serves it, one like it is made from Debian's packages and given
that name; buildah then runs the Dockerfile as it stands, and the result is an archive that containerd imports.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed import build, machine

REPOSITORY = Path(__file__).parents[3]
DOCKERFILE = "agent/Dockerfile"
IMAGE = "localhost/packetpath-agent:dev"
BASE_PACKAGES = ("ca-certificates", "python3", "python3-pip")
MIRROR = "http://deb.debian.org/debian"
THRIFT = (
    '--aptopt=Dir::Cache { srcpkgcache ""; pkgcache ""; };',
    '--aptopt=DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };',
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "info", "locale", "man")),
)
"""What base images are told, and tell the builds on top of them: keep no archives, unpack no manuals."""
NEEDED = {"buildah": "buildah", "mmdebstrap": "mmdebstrap"}
PIP_SETTINGS = ("cert", "default-timeout", "extra-index-url", "index-url", "proxy", "trusted-host")
"""What pip on this machine is told that concerns the way to the packages, and so holds inside of the build as well."""


def why_not_build() -> str | None:
    """Why the image cannot be built here, or None."""
    if os.geteuid() != 0:
        return "Building the agent's image without Docker needs root."
    missing = [
        package for program, package in NEEDED.items() if not shutil.which(program, path=machine.SYSTEM_PATH)
    ]
    if missing:
        return f"Building the agent's image without Docker needs: apt-get install {' '.join(missing)}."
    return None


def build_product_image(
    cache: Path | None = None, *, repository: Path = REPOSITORY, name: str = IMAGE
) -> Path:
    """An OCI archive of the product's image; built once for each content of what goes into it."""
    folder = (cache or build.cache_folder()) / "product"
    archive = folder / f"agent-{content_key(repository, name)}.tar"
    if archive.exists():
        return archive
    machine.check(why_not_build())
    with _alone(folder):
        if not archive.exists():
            build.say(f"Building {name} by {DOCKERFILE}")
            _Builder(storage=folder / "storage", repository=repository).build(name, archive)
            _forget_others(archive)
    return archive


def content_key(repository: Path, name: str) -> str:
    """A short name for exactly this content of the build's context."""
    digest = hashlib.sha256(name.encode())
    for path in sorted(_context(repository)):
        digest.update(f"{path.relative_to(repository)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _context(repository: Path) -> Iterator[Path]:
    """The files that may go into the image: more than go in, so a change is never missed."""
    for name in (DOCKERFILE, ".dockerignore", "pyproject.toml"):
        yield repository / name
    for package in ("agent/packetpath_agent", "kubectl_packetpath"):
        for path in (repository / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Builder:
    """buildah, with a store of its own."""

    storage: Path
    repository: Path

    def build(self, name: str, archive: Path) -> None:
        """Run the Dockerfile, and write what it makes."""
        for base in sorted(base_images(self.repository / DOCKERFILE)):
            self._provide(base)
        with tempfile.TemporaryDirectory() as settings:
            volumes = [f"--volume={source}:{target}:ro" for source, target in _pip_volumes(Path(settings))]
            for stage in stages(self.repository / DOCKERFILE):
                self._build_stage(f"{name}-{stage}", f"--target={stage}", *volumes)
            self._build_stage(name, *volumes)
        unfinished = archive.with_name(f".{archive.name}.{os.getpid()}")
        self._run("push", "--quiet", name, f"oci-archive:{unfinished}:{name}")
        unfinished.rename(archive)
        self._run("rmi", "--prune")

    def _build_stage(self, name: str, *options: str) -> None:
        """Stages get names of their own, so that pruning leaves them for the next build."""
        file = f"--file={self.repository / DOCKERFILE}"
        self._run(
            "bud",
            "--pull-never",
            "--layers",
            "--quiet",
            *options,
            file,
            f"--tag={name}",
            str(self.repository),
        )

    def _provide(self, base: str) -> None:
        """Make the base image, unless this store has it."""
        if base in self._run("images", "--format", "{{.Name}}:{{.Tag}}").split():
            return
        build.say(f"Making {base} from Debian's packages")
        suite = base.rpartition("-")[2]
        with tempfile.TemporaryDirectory(dir=self.storage) as folder:
            root = Path(folder) / "root.tar"
            options = ("--quiet", "--variant=minbase", f"--include={','.join(BASE_PACKAGES)}", *THRIFT)
            _succeed(["mmdebstrap", *options, suite, str(root), MIRROR])
            container = self._run("from", "scratch").strip()
            self._run("add", "--quiet", container, str(root), "/")
            self._run("config", f"--env=PATH={machine.SYSTEM_PATH}", "--cmd=python3", container)
            self._run("commit", "--quiet", "--rm", container, base)

    def _run(self, *arguments: str) -> str:
        self.storage.mkdir(parents=True, exist_ok=True)
        store = [f"--root={self.storage / 'images'}", f"--runroot={self.storage / 'run'}"]
        return _succeed(["buildah", *store, *arguments], {"BUILDAH_ISOLATION": "chroot"})


def base_images(dockerfile: Path) -> set[str]:
    """The images that a Dockerfile starts from; its own earlier stages are not among them."""
    return {words[1] for words in _from_lines(dockerfile)} - set(stages(dockerfile))


def stages(dockerfile: Path) -> list[str]:
    """The stages of a Dockerfile that have a name."""
    return [words[3] for words in _from_lines(dockerfile) if len(words) == 4]


def _from_lines(dockerfile: Path) -> list[list[str]]:
    return [line.split() for line in dockerfile.read_text().splitlines() if line.startswith("FROM ")]


def _pip_volumes(folder: Path) -> list[tuple[Path, Path]]:
    """How pip inside finds packages the way pip on this machine does; mounted, so nothing of it stays in the image."""
    told = _succeed([sys.executable, "-m", "pip", "config", "list"])
    settings: dict[str, str] = {}
    for line in told.splitlines():
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2]
        if name in PIP_SETTINGS:
            settings[name] = value.strip("'\"")
    file = folder / "pip.conf"
    file.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    volumes = [(file, Path("/etc/pip.conf"))]
    if certificate := settings.get("cert"):
        settings_file = Path(certificate)
        volumes.append((settings_file, settings_file))
    return volumes


def _succeed(command: Sequence[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, env=os.environ | (environment or {}), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = (done.stdout + done.stderr)[-3000:]
        raise build.BuildError(f"{' '.join(command)} failed ({done.returncode}):\n{said}")
    return done.stdout


def _forget_others(archive: Path) -> None:
    """Keep the archives of the last few contents only."""
    archives = sorted(archive.parent.glob("agent-*.tar"), key=lambda path: path.stat().st_mtime)
    for old in archives[:-3]:
        old.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
