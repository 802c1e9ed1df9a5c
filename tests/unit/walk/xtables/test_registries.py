"""The lists of matches and targets."""

import inspect
from pathlib import Path
from types import ModuleType

import pytest

from kubectl_packetpath.walk.xtables import matches, targets
from kubectl_packetpath.walk.xtables.extension import AnyMatch, AnyTarget
from kubectl_packetpath.walk.xtables.matches import MATCHES, find_match
from kubectl_packetpath.walk.xtables.targets import TARGETS, find_target

ALL = (*MATCHES, *TARGETS)


def test_the_lists_are_sorted_and_name_each_once() -> None:
    """A newcomer sees where a name belongs."""
    for names in ([each.name for each in MATCHES], [each.name for each in TARGETS]):
        assert names == sorted(set(names))


@pytest.mark.parametrize("extension", ALL, ids=lambda each: each.name)
def test_each_names_its_source_in_the_kernel(extension: AnyMatch | AnyTarget) -> None:
    """Whoever doubts an answer reads the code that it was taken from."""
    assert "Kernel: net/" in (inspect.getdoc(inspect.getmodule(extension.words)) or "")


@pytest.mark.parametrize("package", [matches, targets], ids=["matches", "targets"])
def test_every_file_is_listed(package: ModuleType) -> None:
    """A file that nobody lists would silently not count."""
    path = inspect.getfile(package)
    files = {each.stem for each in Path(path).parent.glob("*.py")} - {"__init__", "nat_range"}
    listed = {each.name.lower() for each in (MATCHES if package is matches else TARGETS)}

    assert files == listed


def test_an_unknown_name_or_revision_is_not_found() -> None:
    """Other bytes need another reader."""
    assert find_match("comment", 7) is None
    assert find_target("TELEPORT", 0) is None
