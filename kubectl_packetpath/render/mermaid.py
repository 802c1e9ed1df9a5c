"""The answer as a Mermaid flow chart, for an issue or a wiki page."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.packet import Packet
from kubectl_packetpath.render.grouping import branches, groups
from kubectl_packetpath.render.style import SIGNS, Style, clean
from kubectl_packetpath.render.words import headers, parts_of, place_of, share
from kubectl_packetpath.trace import Path

UNSAFE = re.compile(r'["<>`#;|{}\\]')
LOOKS = {
    "arrived": "fill:#d3f9d8,stroke:#2b8a3e",
    "lost": "fill:#ffe3e3,stroke:#c92a2a",
    "unknown": "fill:#fff3bf,stroke:#e67700",
}


@dataclass(slots=True, kw_only=True)
class _Chart:
    """Boxes and arrows, each said once."""

    answer: Answer
    numbers: dict[tuple[str, ...], str] = field(default_factory=dict)
    arrows: dict[tuple[str, str, str], None] = field(default_factory=dict)

    def box(self, *key: str) -> str:
        """The number of a box."""
        return self.numbers.setdefault(key, f"n{len(self.numbers)}")


def mermaid(answer: Answer, _style: Style) -> Iterator[str]:
    """`flowchart LR`, one subgraph for each way in."""
    yield "flowchart LR"
    chart = _Chart(answer=answer)
    for number, group in enumerate(groups(answer)):
        way = group.example
        yield f'  subgraph w{number}["{_text(way.question.title)}"]'
        for branch in branches(way):
            yield from _branch(
                chart, number, branch.example, (share(branch.weight), way.family_of(branch.example))
            )
        yield "  end"
    for family, look in LOOKS.items():
        yield f"  classDef {family} {look}"


def _branch(chart: _Chart, number: int, path: Path, told_of: tuple[str, str]) -> Iterator[str]:
    weight, family = told_of
    before = ""
    told = ""
    packet: Packet | None = None
    for position, hop in enumerate(path.hops):
        place = place_of(hop, chart.answer)
        key = (str(number), str(position), place)
        new = key not in chart.numbers
        box = chart.box(*key)
        if new:
            yield f'    {box}["{_text(place)}"]'
        if before:
            arrow = (before, box, told)
            if arrow not in chart.arrows:
                chart.arrows[arrow] = None
                yield f'    {before} -->|"{_text(told)}"| {box}' if told else f"    {before} --> {box}"
        changes = [part.text for part in parts_of(hop) if part.look == "changed"]
        told = ", ".join(([f"{weight}"] if changes else []) + changes)
        packet = next((step.after for step in reversed(hop.steps) if step.after is not None), packet)
        if packet is not None and packet.inner is not None:
            told = ", ".join(filter(None, (told, " / ".join(headers(packet)))))
        before = box
    ending = (str(number), "end", str(path.ending.verdict), path.ending.reason)
    new = ending not in chart.numbers
    end = chart.box(*ending)
    if new:
        reason = _text(f"{path.ending.verdict}: {path.ending.reason}")
        yield f'    {end}("{SIGNS[family]} {reason}"):::{family}'
    yield f'    {before} -->|"{_text(told)}"| {end}' if told else f"    {before} --> {end}"


def _text(text: str) -> str:
    """Nothing that ends a label or begins markup."""
    return UNSAFE.sub("'", clean(text).replace(";", ","))
