"""The list of expressions is complete and in order."""

from pathlib import Path

from kubectl_packetpath.walk.nftables import expressions


def test_the_list_is_sorted_and_complete() -> None:
    """One file each, listed by name."""
    folder = Path(expressions.__file__).parent
    files = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")

    names = [kind.name for kind in expressions.EXPRESSIONS]

    assert names == files
