"""The table of docs/agreement.md: every match, target and expression, how far it is modelled, and what shows it.

Made from the registries of the walk and from the rules of the tests that compare with the kernel, so neither a
new match nor a test that lost its row can be forgotten. `make agreement` writes it; a test says when it is stale.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from kubectl_packetpath.walk.nftables.expressions import EXPRESSIONS
from kubectl_packetpath.walk.nftables.kind import AnyKind
from kubectl_packetpath.walk.xtables.extension import AnyMatch, AnyTarget
from kubectl_packetpath.walk.xtables.matches import MATCHES
from kubectl_packetpath.walk.xtables.targets import TARGETS

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "agreement.md"
BEGIN, END = "<!-- table: make agreement -->\n", "<!-- end of the table -->\n"
KERNEL = "tests/kernel"
NEAR_KERNEL = {
    "legacy": ("xtables/test_matches_agree.py", "xtables/test_chains_agree.py", "xtables/test_nat_targets_agree.py",
               "xtables/test_recent_agrees.py"),
    "iptables-nft": ("xtables/test_matches_agree.py",),
    "nft": ("nftables/test_expressions_agree.py", "nftables/test_chains_agree.py"),
}  # fmt: skip
"""Per back end: the files of tests whose rules are loaded into it and counted by the kernel."""
NFT_BY_LEGACY_ROWS = "nftables/test_iptables_nft_agrees.py"
"""It loads the rows of test_matches_agree into the nft back end, all but those of `helper`."""
FUZZ = {"legacy": "rules_iptables.py", "iptables-nft": "rules_iptables.py", "nft": "rules_nft.py"}
PLAIN = ("tcp", "udp", "sctp")
"""Protocols whose generated rows are written with the name as a variable."""

WORDS = {
    "bitwise": r"[&^|] |/\d+\b|\band 0x",
    "byteorder": r"meta (?:mark|length) (?:!= )?[0-9a-fx]+-|meta length [<>]",
    "cmp": r"dport 80\b|saddr 10|meta l4proto tcp",
    "connlimit": r"ct count",
    "counter": r"\bcounter\b",
    "ct": r"\bct (?:state|mark|status|direction|original)",
    "dup": r"\bdup to",
    "dynset": r"\b(?:add|update) @",
    "exthdr": r"\bexthdr|tcp option",
    "fib": r"\bfib ",
    "flow_offload": r"\bflow add",
    "fwd": r"\bfwd to",
    "hash": r"\b(?:jhash|symhash)",
    "immediate": r"\b(?:drop|accept|jump|mark set 0x)",
    "inner": r"\bvxlan ip",
    "last": r"\blast used",
    "limit": r"\blimit rate",
    "log": r"\blog (?:group|prefix)|^log$",
    "lookup": r"\{ |@\w+",
    "masq": r"\bmasquerade",
    "match": r"-m \w",
    "meta": r"\bmeta |iifname",
    "nat": r"\b[ds]nat ",
    "notrack": r"\bnotrack",
    "numgen": r"\bnumgen",
    "objref": r"\bcounter name|\bquota name|\blimit name",
    "osf": r"\bosf ",
    "payload": r"dport|saddr",
    "queue": r"\bqueue\b",
    "quota": r"\bquota (?!name)",
    "range": r"!= [0-9.a-f:x]+-",
    "redir": r"\bredirect",
    "reject": r"\breject",
    "rt": r"\brt ",
    "secmark": r"\bsecmark",
    "socket": r"\bsocket ",
    "synproxy": r"\bsynproxy",
    "target": r"-j [A-Z]{3}",
    "tproxy": r"\btproxy",
    "tunnel": r"\btunnel ",
    "xfrm": r"\b(?:ipsec|xfrm) ",
}
"""What a rule of nft says when it has this expression."""


def _read(names: Iterable[str]) -> dict[str, str]:
    return {name: (ROOT / KERNEL / name).read_text() for name in names}


def _shown(pattern: str, back_end: str) -> Iterator[str]:
    """Tests with such a rule."""
    expression = re.compile(pattern, re.MULTILINE)
    for name, text in _read(NEAR_KERNEL[back_end]).items():
        if expression.search(text) and not (back_end == "iptables-nft" and "helper" in pattern):
            yield NFT_BY_LEGACY_ROWS if back_end == "iptables-nft" else name
    if expression.search((ROOT / "tests" / "fuzz" / FUZZ[back_end]).read_text()):
        yield "fuzz"


def _names(found: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(Path(each).stem.removeprefix("test_") for each in found))


def _pattern_of(entry: AnyMatch | AnyTarget, option: str) -> str:
    if option == "-j":
        return (
            rf"(?:-j |^\s*\"?|[\"(]|, \"){entry.name}\b(?! =)"
            if entry.name != "NOTRACK"
            else r"--notrack|-j NOTRACK"
        )
    if entry.name in PLAIN:
        return rf"-p {entry.name}\b|\"{entry.name}\""
    if entry.name == "icmp":
        return r"-m icmp\b|\"icmp\""
    if entry.name == "icmp6":
        return r"-m icmp6\b|icmpv6-type"
    return rf"-m {entry.name}\b|-p \S+ -m {entry.name}\b"


def _of_iptables(entries: Iterable[AnyMatch | AnyTarget], option: str) -> Iterator[str]:
    for entry in entries:
        pattern = _pattern_of(entry, option)
        shown = [
            _names(_shown(pattern, back_end)) or "no kernel test" for back_end in ("legacy", "iptables-nft")
        ]
        revisions = ", ".join(map(str, entry.revisions))
        yield f"| `{option} {entry.name}` | {revisions} | {entry.certainty} | {shown[0]} | {shown[1]} |\n"


def _of_nft(kinds: Iterable[AnyKind]) -> Iterator[str]:
    for kind in kinds:
        shown = _names(_shown(WORDS[kind.name], "nft"))
        if kind.name in {"match", "target"}:
            shown = _names([NFT_BY_LEGACY_ROWS, "fuzz"])
        yield f"| `{kind.name}` | {kind.certainty} | {shown or 'no kernel test'} |\n"


def table() -> str:
    """The part of the document that is made."""
    heads = "| | revisions | the walk is | on iptables-legacy | on iptables-nft |\n|---|---|---|---|---|\n"
    return "".join(
        (
            BEGIN,
            "\n### Matches of iptables\n\n",
            heads,
            *_of_iptables(MATCHES, "-m"),
            "\n### Targets of iptables\n\n",
            heads,
            *_of_iptables(TARGETS, "-j"),
            "\n### Expressions of nftables\n\n",
            "| | the walk is | shown by |\n|---|---|---|\n",
            *_of_nft(EXPRESSIONS),
            "\n",
            END,
        )
    )


def current() -> str:
    """The table as it stands in the document."""
    text = DOCUMENT.read_text()
    return text[text.index(BEGIN) : text.index(END) + len(END)]


def main() -> int:
    """Write it."""
    text = DOCUMENT.read_text()
    DOCUMENT.write_text(text.replace(current(), table()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
