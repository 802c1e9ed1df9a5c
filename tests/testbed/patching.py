"""Go modules that are changed a little before a set of programs is built with them.

A published module may need another one of a version that nobody serves. A set's `build.toml` then says what the served
one lacks: files of ours to add, fields to put at the head of structs. The module is fetched and changed in the cache,
in a copy of the set's folder, to which go.mod's `replace` points; nothing of it is kept among our own files.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from testbed import machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Patched:
    """One such module."""

    module: str
    """With its version: `example.com/api@v1.2.3`."""
    folder: str
    """Where go.mod looks for it."""
    add: Mapping[str, str]
    """Files of the module that are copies of files of the set."""
    fields: Mapping[str, Mapping[str, list[str]]]
    """File, struct, and the lines to put at the struct's head."""

    @classmethod
    def from_toml(cls, read: Mapping[str, Any]) -> Self:
        """From a table `patched`."""
        return cls(
            module=read["module"],
            folder=read["folder"],
            add=read.get("add", {}),
            fields=read.get("fields", {}),
        )


def lay_out(source: Path, target: Path, patches: tuple[Patched, ...]) -> None:
    """Copy the set's folder, with the changed modules in it."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    for each in patches:
        _change(each, source, target / each.folder)


def _change(patch: Patched, source: Path, folder: Path) -> None:
    shutil.copytree(download(patch.module, Path("/")), folder, copy_function=shutil.copyfile)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for name, ours in patch.add.items():
        shutil.copyfile(source / ours, folder / name)
    for name, structs in patch.fields.items():
        text = (folder / name).read_text()
        for struct, lines in structs.items():
            head = f"type {struct} struct {{\n"
            if text.count(head) != 1:
                raise ValueError(f"{patch.module} has no struct {struct} in {name}.")
            text = text.replace(head, head + "".join(f"\t{line}\n" for line in lines))
        (folder / name).write_text(text)


def download(module: str, folder: Path) -> Path:
    """A module's source, fetched with the versions that a folder's go.mod pins; Go verifies its checksum."""
    done = subprocess.run(
        [machine.go_program() or "go", "mod", "download", "-json", module],
        cwd=folder,
        env=os.environ | {"GOWORK": "off", "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(done.stdout or "{}")
    if done.returncode != 0 or "Dir" not in answer:
        raise ValueError(f"{module} cannot be fetched: {answer.get('Error', done.stderr)}")
    return Path(answer["Dir"])
