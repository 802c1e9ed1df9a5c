"""The reference of all findings, made from what the modules say of themselves: `docs/findings.md`.

`python -m kubectl_packetpath.findings.reference > docs/findings.md` writes it anew; a test compares the two.
"""

import sys
from collections.abc import Iterator

from kubectl_packetpath.findings import CHECKS
from kubectl_packetpath.findings.base import Check

HEAD = """\
# Findings

What `kubectl packetpath` finds wrong, each with the state that proves it. In the tree a finding stands below the hop that
loses the packet (`why`, and `try` with what to run, the best first); in JSON all are in `findings[]`, with their evidence.
`problem` means that it is so; `suspicion`, that it looks so as far as could be looked. The id and the code are for ever.

This page is made from the checks themselves: `python -m kubectl_packetpath.findings.reference > docs/findings.md`.
"""


def page() -> str:
    """The whole page."""
    rows = "\n".join(f"| [`{each.id}`](#{each.id}) | {each.code} | {each.title} |" for each in CHECKS)
    table = f"| id | code | |\n|---|---|---|\n{rows}\n"
    return "\n".join([HEAD, table, *(_section(each) for each in CHECKS)])


def told(check: Check) -> Iterator[str]:
    """What one finding means, paragraph by paragraph."""
    meaning, seen_by = _words(check)
    yield f"{check.code} {check.id}: {check.title}"
    for paragraph in meaning.strip().split("\n\n"):
        yield ""
        yield " ".join(paragraph.split())
    yield ""
    yield f"Seen by: {seen_by}"


def _words(check: Check) -> tuple[str, str]:
    """What its module says of it, without the title; and by what it is seen."""
    looks = (check.look, check.look_at_all, check.look_at_proxy)
    look = next(each for each in looks if each.__module__ != Check.__module__)
    module = sys.modules[look.__module__]
    _, _, rest = (module.__doc__ or "").strip().partition("\n")
    return rest, (look.__doc__ or "").strip()


def _section(check: Check) -> str:
    meaning, seen_by = _words(check)
    text = "\n".join(_paragraphs(meaning))
    return f"## {check.id}\n\n{check.code}: {check.title}\n{text}\n\n**Seen by**: {seen_by}\n"


def _paragraphs(text: str) -> Iterator[str]:
    for line in text.rstrip().splitlines():
        kind, colon, source = line.partition(": ")
        yield f"*{kind}*: {source}" if colon and kind in {"Kernel", "Kubernetes"} else line


if __name__ == "__main__":
    sys.stdout.write(page())
