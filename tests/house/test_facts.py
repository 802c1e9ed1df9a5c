"""Where facts are read: what the code names, what its type lists, and what users are told are the same."""

import ast
import re
from pathlib import Path
from typing import get_args

from kubectl_packetpath.trace import FactSection

ROOT = Path(__file__).parents[2]
SECTIONS = sorted(get_args(FactSection))


def used_in(text: str) -> set[str]:
    """The sections of the facts that a module makes."""
    return {
        part.value
        for call in ast.walk(ast.parse(text))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Fact"
        for given in call.keywords
        if given.arg == "section"
        for part in ast.walk(given.value)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }


def test_every_section_is_one_of_some_fact() -> None:
    """The type checker refuses one that is not listed; one that nothing has any more is found here."""
    texts = [path.read_text() for path in (ROOT / "kubectl_packetpath").rglob("*.py")]

    assert sorted(set[str]().union(*(used_in(text) for text in texts if "Fact(" in text))) == SECTIONS


def test_the_reference_tells_every_section() -> None:
    """Whoever reads JSON finds them all in docs/reference-json.md, in order."""
    text = (ROOT / "docs" / "reference-json.md").read_text()
    (told,) = re.findall(r"each with its `section` \(([^)]*)\)", text)

    assert re.findall(r"`([^`]+)`", told) == SECTIONS
