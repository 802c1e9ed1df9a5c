"""A rule's words are those of `iptables-save`."""

from collections.abc import Iterator

import pytest
from kernel.xtables.reader import read_tables, with_tables
from kernel.xtables.rows import BLOCKS, IPSETS, ROWS, Row

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.ipsets import Ipset
from kubectl_packetpath.snapshot.recorded import RecordedNamespace
from kubectl_packetpath.snapshot.xtables_blob import index_blob
from kubectl_packetpath.walk.xtables.blob import decode_rule
from kubectl_packetpath.walk.xtables.words import rule_words
from testbed.netns import OWN, Namespace, succeed

pytestmark = pytest.mark.kernel
NAMESPACE = Namespace(name=f"{OWN}xtwords")


@pytest.fixture(scope="module")
def both() -> Iterator[dict[Row, tuple[str, str]]]:
    """Of every row: what `iptables-save` prints, and our words."""
    if NAMESPACE.exists():
        NAMESPACE.delete()
    NAMESPACE.create()
    try:
        succeed([*NAMESPACE.enter, "ipset", "restore"], stdin=IPSETS)
        yield dict(_words())
    finally:
        NAMESPACE.delete()


def _words() -> Iterator[tuple[Row, tuple[str, str]]]:
    names = [line.split()[1] for line in IPSETS.split("\n") if line]
    sets = tuple(Ipset(index=index, name=name, type="", family=0) for index, name in enumerate(names))
    for family, table, _ in BLOCKS:
        rows = [row for row in ROWS if (row.family, row.table) == (family, table)]
        program = "iptables-legacy" if family == 4 else "ip6tables-legacy"
        lines = "\n".join(row.line for row in rows)
        succeed(
            [*NAMESPACE.enter, f"{program}-restore"], stdin=f"*{table}\n:OTHER - [0:0]\n{lines}\nCOMMIT\n"
        )
        printed = succeed([*NAMESPACE.enter, f"{program}-save", "-t", table]).splitlines()
        (read,) = read_tables(NAMESPACE, (family, table))
        state = RecordedNamespace(with_tables((read,), ipsets=sets))
        assert read.blob is not None
        words: list[str] = []
        for offset in index_blob(family, read.blob, read.hook_entry, read.underflow):
            chain = state.legacy_chain(family, table, offset)
            assert not isinstance(chain, Absent)
            at = offset
            for raw in chain.rules[:-1]:
                at += len(raw)
                words.append(rule_words(state, table, chain.name, decode_rule(family, raw, at)))
        by_chain = sorted(rows, key=lambda row: _chain_order(row.line))
        saved = sorted((line for line in printed if line.startswith("-A")), key=_chain_order)
        yield from zip(by_chain, zip(saved, sorted(words, key=_chain_order), strict=True), strict=True)


def _chain_order(line: str) -> str:
    return line.split()[1]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_rule_reads_as_iptables_save_prints_it(row: Row, both: dict[Row, tuple[str, str]]) -> None:
    """Whoever reads a fact finds the very line on the node."""
    saved, words = both[row]

    assert words == saved
    assert saved == row.line
