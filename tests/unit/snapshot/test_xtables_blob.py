"""The blob of a legacy table."""

import pytest
from unit.walk.xtables.blobs import Line, table_of

from kubectl_packetpath.snapshot.xtables_blob import BlobError, cut_chain, index_blob

TABLE = table_of((Line(to="A"), Line(to="B")), {"A": (Line(to="RETURN"),), "B": ()})
BLOB = TABLE.blob or b""


def test_all_chains_are_found_in_their_order() -> None:
    """Built-in ones by their hook, others by the names in the blob."""
    index = index_blob(4, BLOB, TABLE.hook_entry, TABLE.underflow)

    assert list(index.values()) == ["PREROUTING", "A", "B"]


def test_a_chain_is_cut_out_by_its_offset() -> None:
    """Its last entry is the policy, or the return that every chain ends with."""
    index = index_blob(4, BLOB, TABLE.hook_entry, TABLE.underflow)

    chains = [cut_chain(4, BLOB, offset, TABLE.hook_entry, TABLE.underflow) for offset in index]

    assert [(chain.name, chain.hook, len(chain.rules)) for chain in chains] == [
        ("PREROUTING", 0, 3),
        ("A", None, 2),
        ("B", None, 1),
    ]


@pytest.mark.parametrize("offset", [1, 152, len(BLOB), 10**6])
def test_no_chain_starts_in_the_middle(offset: int) -> None:
    """A jump to there would be a damaged recording."""
    with pytest.raises(BlobError):
        cut_chain(4, BLOB, offset, TABLE.hook_entry, TABLE.underflow)


@pytest.mark.parametrize("damage", [BLOB[:-1], BLOB[:90] + b"\0\0" + BLOB[92:], BLOB[:50]])
def test_damaged_bytes_are_refused(damage: bytes) -> None:
    """Cut short, or with an entry that is nothing long and would be read for ever."""
    with pytest.raises(BlobError):
        index_blob(4, damage, TABLE.hook_entry, TABLE.underflow)
