"""Rules about the files of the project."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [*(ROOT / "kubectl_packetpath").rglob("*.py"), *(ROOT / "agent").rglob("*.py")]
VAGUE = {"utils", "helpers", "common", "manager", "misc"}


def test_no_module_has_a_vague_name() -> None:
    """Modules are named for what is in them."""
    assert [path for path in SOURCES if path.stem in VAGUE] == []


def test_every_module_says_what_it_is() -> None:
    """A file without a docstring has no reader in mind; empty package files have nothing to say."""
    silent = [p for p in SOURCES if p.read_text().strip() and not p.read_text().startswith('"""')]

    assert silent == []


def test_no_source_file_outgrows_its_reader() -> None:
    """Past 400 lines a type is missing that would split the file."""
    assert [path for path in SOURCES if len(path.read_text().splitlines()) > 400] == []


def test_the_project_names_no_place_of_one_machine() -> None:
    """Nothing points at the folders of a developer's machine."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pattern = re.compile(rb"/work/(main|shared)|\.\./shared/|/root/\.")
    guilty = [
        name
        for name in listed.splitlines()
        if (ROOT / name).is_file()
        and (ROOT / name) != Path(__file__)
        and pattern.search((ROOT / name).read_bytes())
    ]

    assert guilty == []
