"""`kubectl packetpath explain`: what a finding means, at the terminal where it was met."""

import difflib
import textwrap
from collections.abc import Iterator
from typing import Annotated

import typer

from kubectl_packetpath.cli import options
from kubectl_packetpath.cli.exits import Exit, fail, write

HELP = """What a finding means, by its code or id: kubectl packetpath explain PP106. Without one, all are listed.

-o wide shows a finding's code, -o json its code and id."""


def explain(
    finding: Annotated[
        str, typer.Argument(metavar="[FINDING]", help="PP106 or nothing-listens. Default: a list of all.")
    ] = "",
) -> None:
    """What a finding means."""
    from kubectl_packetpath.findings import CHECKS  # noqa: PLC0415 - keeps `--help` quick
    from kubectl_packetpath.findings.reference import told  # noqa: PLC0415 - keeps `--help` quick

    if not finding:
        write(line for each in CHECKS for line in _under(f"{each.title} ({each.id})", f"{each.code}  "))
        return
    wanted = finding.lower()
    found = next((each for each in CHECKS if wanted in {each.id, each.code.lower()}), None)
    if found is None:
        names = [name for each in CHECKS for name in (each.id, each.code.lower())]
        near = difflib.get_close_matches(wanted, names, n=1)
        better = f"kubectl packetpath explain {near[0]}" if near else "kubectl packetpath explain"
        fail(f"There is no finding {finding}.", better, Exit.USAGE)
    write(line for text in told(found) for line in _under(text, ""))


def _under(text: str, label: str) -> Iterator[str]:
    """A paragraph beside its label, as wide as the terminal; a line that is empty stays so."""
    lines = textwrap.wrap(
        text, max(40, options.style().width - len(label)), break_long_words=False, break_on_hyphens=False
    )
    for number, line in enumerate(lines or [""]):
        yield f"{label if number == 0 else ' ' * len(label)}{line}".rstrip()
