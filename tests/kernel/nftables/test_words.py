"""A rule's words are those of `nft list ruleset`, or of `iptables-nft-save` for iptables' own."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from kernel.nftables.reader import read, recording
from kernel.nftables.rows import BLOCKS
from kernel.xtables.rows import BLOCKS as XT_BLOCKS
from kernel.xtables.rows import IPSETS
from kernel.xtables.rows import ROWS as XT_ROWS
from kernel.xtables.rows import Row as XtRow

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.ipsets import Ipset
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.nftables_messages import read_rule
from kubectl_packetpath.snapshot.recorded import RecordedNamespace
from kubectl_packetpath.walk.nftables.words import rule_words
from testbed.netns import OWN, Namespace, succeed

pytestmark = pytest.mark.kernel
FIXTURES = Path(__file__).with_name("fixtures")
LINKS = (Link(index=1, name="lo"),)
FAMILIES = {1: "inet", 2: "ip", 10: "ip6", 7: "bridge"}


class Row(NamedTuple):
    """One rule, and where it stands."""

    block: int
    line: str

    def __str__(self) -> str:
        """For the test's name."""
        return f"{BLOCKS[self.block][0]}: {self.line}"


ROWS = [
    Row(number, line) for number, (_, _, rules, _) in enumerate(BLOCKS) for line in rules.strip().splitlines()
]


@contextmanager
def namespace(name: str) -> Iterator[Namespace]:
    """An empty namespace."""
    made = Namespace(name=f"{OWN}{name}")
    if made.exists():
        made.delete()
    made.create()
    try:
        yield made
    finally:
        made.delete()


def listed(inside: Namespace) -> dict[tuple[str, str, str, int], str]:
    """What nft prints, by family, table, chain and handle."""
    found, where = {}, ("", "", "")
    for text in succeed([*inside.enter, "nft", "-a", "list", "ruleset"]).splitlines():
        line = text.strip()
        if opened := re.match(r"table (\S+) (\S+) \{", line):
            where = (opened[1], opened[2], "")
        elif opened := re.match(r"chain (\S+) \{", line):
            where = (*where[:2], opened[1])
        elif line == "}":
            where = (*where[:2], "")
        elif rule := re.match(r"(.*) # handle (\d+)$", line):
            found[*where, int(rule[2])] = rule[1]
    return {place: line for place, line in found.items() if place[2]}


def ours(place: Namespace) -> dict[tuple[str, str, str, int], tuple[str, str]]:
    """Our sections and words, likewise."""
    nftables = read(place)
    state = RecordedNamespace(recording(nftables, links=LINKS))
    return {
        (FAMILIES[chain.family], chain.table, chain.name, read_rule(raw).handle): rule_words(
            state, chain, raw
        )
        for chain in nftables.chains
        for raw in (() if isinstance(chain.rules, Absent) else chain.rules)
    }


@pytest.fixture(scope="module")
def both() -> Iterator[dict[Row, tuple[str, str]]]:
    """Of every row: what nft prints, and our words."""
    with namespace("nftwords") as place:
        for number, (family, hook, rules, extra) in enumerate(BLOCKS):
            body = "\n".join(rules.strip().splitlines())
            chain = f"chain rules {{ {hook};\n{body}\n}}"
            succeed(
                [*place.enter, "nft", "-f", "-"], stdin=f"table {family} t{number} {{ {extra}\n{chain}\n}}"
            )
        printed, words = listed(place), ours(place)
        handles = sorted(key for key in words if key[2] == "rules")
        by_block = [[key for key in handles if key[1] == f"t{number}"] for number in range(len(BLOCKS))]
        places = {number: iter(sorted(keys, key=lambda key: key[3])) for number, keys in enumerate(by_block)}
        yield {row: (printed[key], words[key][1]) for row in ROWS for key in [next(places[row.block])]}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_rule_reads_as_nft_prints_it(row: Row, both: dict[Row, tuple[str, str]]) -> None:
    """Whoever reads a fact finds the very line on the node."""
    printed, words = both[row]

    assert words == printed


def test_the_rules_of_a_real_kube_proxy_read_as_nft_prints_them() -> None:
    """All of its nftables mode: maps, sets, chance, affinity, source ranges."""
    with namespace("nftproxy") as place:
        succeed([*place.enter, "nft", "-f", str(FIXTURES / "kube-proxy.nft")])

        words = ours(place)

        assert {key: text for key, (_, text) in words.items()} == listed(place)
        assert {section for section, _ in words.values()} == {"nftables"}


@pytest.mark.parametrize("family", ["ip", "ip6"])
def test_the_rules_of_a_real_kube_proxy_read_as_iptables_prints_them(family: str) -> None:
    """All of its iptables mode on the nft back end, in order."""
    program = "iptables-nft" if family == "ip" else "ip6tables-nft"
    with namespace("nftproxy") as place:
        rules = (FIXTURES / f"kube-proxy.{program.removesuffix('-nft')}").read_text()
        succeed([*place.enter, f"{program}-restore"], stdin=rules)

        words = ours(place)

        saved = succeed([*place.enter, f"{program}-save"]).splitlines()
        expected = sorted(line for line in saved if line.startswith("-A "))
        assert sorted(text for _, text in words.values()) == expected
        assert {section for section, _ in words.values()} == {"iptables-nft"}


@pytest.fixture(scope="module")
def restored() -> Iterator[dict[XtRow, tuple[str, str]]]:
    """Of every row of iptables: what its nft back end saves, and our words."""
    with namespace("nftxt") as place:
        succeed([*place.enter, "ipset", "restore"], stdin=IPSETS)
        for family, table, lines in XT_BLOCKS:
            program = f"{'iptables' if family == 4 else 'ip6tables'}-nft-restore"
            rules = f"*{table}\n:OTHER - [0:0]\n{lines.strip()}\nCOMMIT\n"
            succeed([*place.enter, program], stdin=rules)
        yield dict(_restored(place))


def _restored(place: Namespace) -> Iterator[tuple[XtRow, tuple[str, str]]]:
    names = [line.split()[1] for line in IPSETS.split("\n") if line]
    sets = tuple(Ipset(index=index, name=name, type="", family=0) for index, name in enumerate(names))
    nftables = read(place)
    state = RecordedNamespace(recording(nftables, links=LINKS, ipsets=sets))
    for family, table, _ in XT_BLOCKS:
        program = f"{'iptables' if family == 4 else 'ip6tables'}-nft-save"
        saved = succeed([*place.enter, program, "-t", table]).splitlines()
        for chain in nftables.chains:
            if (FAMILIES[chain.family], chain.table) != ("ip" if family == 4 else "ip6", table):
                continue
            start = f"-A {chain.name} "
            rows = [row for row in XT_ROWS if row[:2] == (family, table) and f"{row.line} ".startswith(start)]
            lines = [line for line in saved if f"{line} ".startswith(start)]
            assert not isinstance(chain.rules, Absent)
            words = [rule_words(state, chain, raw)[1] for raw in chain.rules]
            yield from zip(rows, zip(lines, words, strict=True), strict=True)


@pytest.mark.parametrize("row", XT_ROWS, ids=str)
def test_a_rule_of_iptables_reads_as_its_nft_back_end_saves_it(
    row: XtRow, restored: dict[XtRow, tuple[str, str]]
) -> None:
    """Native or not: the user finds the line that `iptables-nft-save` prints."""
    saved, words = restored[row]

    assert words == saved
