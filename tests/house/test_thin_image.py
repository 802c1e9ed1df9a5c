"""The agent's image: exactly the files that .dockerignore lets through, without the client's dependencies."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLIENT_ONLY = ("kubernetes", "typer", "rich", "yaml", "websocket", "urllib3", "requests")
IMPORT_ALL = f"""
import importlib, pkgutil, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {CLIENT_ONLY!r}:
            raise ImportError(name + " is not in the image")

sys.meta_path.insert(0, Refuse())
import kubectl_packetpath, packetpath_agent
names = [each.name for package in (kubectl_packetpath, packetpath_agent)
         for each in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    importlib.import_module(name)
print(len(names), *sorted({{module.__file__ for name, module in sys.modules.items()
                         if name.startswith(("kubectl_packetpath", "packetpath_agent"))}}), sep="\\n")
"""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The files where the image has them."""
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in allowed:
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return tmp_path


def test_every_module_of_the_image_can_be_loaded(image: Path) -> None:
    """Nothing of the client is missing there, for nothing of it is used."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        cwd=image,
        env={"PYTHONPATH": f"{image}:{image / 'agent'}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    count, *files = done.stdout.split()
    assert int(count) > 100
    assert all(file.startswith(str(image)) for file in files)


def test_the_agent_needs_little() -> None:
    """Its extra names none of what the client needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = " ".join(project["optional-dependencies"]["agent"]).lower()

    assert not [name for name in ("kubernetes", "typer", "rich", "yaml", "websocket") if name in needed]
