"""All checks together."""

from pathlib import Path

from kubectl_packetpath import findings as package
from kubectl_packetpath.findings import CHECKS
from kubectl_packetpath.findings.reference import page


def test_codes_are_sorted_and_each_is_one_problems() -> None:
    """A code is for ever."""
    codes = [each.code for each in CHECKS]

    assert codes == sorted(set(codes))


def test_ids_are_the_names_of_the_modules() -> None:
    """So a reader of an answer finds the check."""
    home = Path(next(iter(package.__path__)))

    assert [each.id for each in CHECKS if not (home / f"{each.id.replace('-', '_')}.py").is_file()] == []


def test_the_reference_is_what_the_checks_say_of_themselves() -> None:
    """Written anew by `python -m kubectl_packetpath.findings.reference > docs/findings.md`."""
    assert (Path(__file__).parents[3] / "docs" / "findings.md").read_text() == page()
