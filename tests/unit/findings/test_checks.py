"""All checks together."""

from pathlib import Path

from kubectl_packetpath import findings as package
from kubectl_packetpath.findings import CHECKS


def test_codes_are_sorted_and_each_is_one_problems() -> None:
    """A code is for ever."""
    codes = [each.code for each in CHECKS]

    assert codes == sorted(set(codes))


def test_each_problem_has_a_page() -> None:
    """Beside its module, and it begins with the code."""
    home = Path(next(iter(package.__path__)))
    pages = sorted(page.read_text().split(":")[0] for page in home.glob("*.md"))

    assert pages == [f"# {each.code}" for each in CHECKS]


def test_every_code_is_in_the_reference() -> None:
    """Where readers of the JSON look."""
    reference = (Path(__file__).parents[3] / "docs" / "reference-json.md").read_text()

    assert [each.code for each in CHECKS if f"| {each.code} |" not in reference] == []
