"""The source of published Go modules: what they hold besides Go, such as custom resources."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from testbed import build
from testbed.patching import download

Manifest = dict[str, Any]


def module_folder(set_name: str, module: str) -> Path:
    """Where Go keeps the source of a module that a set of programs is built from."""
    return download(module, build.program_set(set_name).source)


def custom_resources(folder: Path, changed: Callable[[str], str] = lambda text: text) -> Iterator[Manifest]:
    """All CustomResourceDefinitions of a folder or a file."""
    files = [folder] if folder.is_file() else sorted(folder.glob("*.yaml"))
    for file in files:
        for each in yaml.load_all(changed(file.read_text()), Loader=_LOADER):
            if each and each.get("kind") == "CustomResourceDefinition":
                yield {key: each[key] for key in ("apiVersion", "kind", "metadata", "spec")}


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C is ten times faster."""
