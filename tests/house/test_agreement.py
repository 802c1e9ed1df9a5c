"""The page of agreement lists what there is."""

from house.agreement import TESTS, text


def test_the_page_is_current() -> None:
    """`PYTHONPATH=tests python -m house.agreement > docs/agreement.md` writes it anew."""
    assert (TESTS.parent / "docs" / "agreement.md").read_text() == text()
