"""Writes docs/agreement.md: every match, target and expression, how surely the walk decides it, and what shows it.

PYTHONPATH=tests python -m house.agreement > docs/agreement.md
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from kubectl_packetpath.walk.nftables.expressions import EXPRESSIONS
from kubectl_packetpath.walk.xtables.matches import MATCHES
from kubectl_packetpath.walk.xtables.targets import TARGETS

TESTS = Path(__file__).parents[1]
HEAD = Path(__file__).with_name("agreement-head.md")
SHOWN_BY = {
    "packets": (
        "kernel/xtables/test_*.py",
        "kernel/nftables/test_*.py",
        "kernel/core/*.py",
        "kernel/ipvs/*.py",
    ),
    "made-up rulesets": ("fuzz/rules_*.py",),
    "its words": ("kernel/xtables/rows.py", "kernel/nftables/rows.py"),
}
"""What shows it: real packets or counters, `make fuzz`, the same text as the system's own tool prints."""
SPOKEN = {
    "bitwise": "&", "byteorder": "th dport", "cmp": "==", "immediate": "accept", "lookup": "@", "match": "-m ",
    "target": "-j ", "objref": "counter name", "dynset": "add @", "nat": "dnat", "range": "-", "redir": "redirect",
    "masq": "masquerade", "hash": "hash", "payload": "daddr", "exthdr": "exthdr", "flow_offload": "flow add",
}  # fmt: skip
"""How rules say it, where not by its name."""


def text() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield HEAD.read_text().rstrip()
    yield from _table(
        "Matches of iptables, on both back ends", ((m.name, m.certainty) for m in MATCHES), "-m {}"
    )
    yield from _table(
        "Targets of iptables, on both back ends", ((t.name, t.certainty) for t in TARGETS), "-j {}"
    )
    yield from _table("Expressions of nftables", ((k.name, k.certainty) for k in EXPRESSIONS), "{}")


def _table(title: str, rows: Iterable[tuple[str, str]], spoken: str) -> Iterator[str]:
    yield f"\n## {title}\n\n| name | decided | shown by |\n|---|---|---|"
    for name, certainty in sorted(set(rows)):
        words = SPOKEN.get(name, name) if spoken == "{}" else spoken.format(name)
        yield f"| {name or '(none)'} | {certainty} | {', '.join(_shown(words)) or 'unit tests only'} |"


def _shown(words: str) -> Iterator[str]:
    pattern = re.compile(
        rf"(?<![\w-]){re.escape(words)}(?![\w-])" if words[-1].isalnum() else re.escape(words)
    )
    for how, globs in SHOWN_BY.items():
        files = [file for glob in globs for file in sorted(TESTS.glob(glob))]
        if any(pattern.search(file.read_text()) for file in files):
            yield how


if __name__ == "__main__":
    print(text(), end="")
