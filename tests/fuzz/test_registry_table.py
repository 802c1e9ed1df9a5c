"""docs/agreement.md keeps up with the registries and with the tests."""

from fuzz.registry_table import WORDS, current, table

from kubectl_packetpath.walk.nftables.expressions import EXPRESSIONS


def test_every_expression_can_be_found_in_rules() -> None:
    """A new kind of expression comes with the words by which its tests are found."""
    assert set(WORDS) == {kind.name for kind in EXPRESSIONS}


def test_the_table_is_current() -> None:
    """`make agreement` writes it anew."""
    assert current() == table()
