"""A request and its connections as one Mermaid flow chart: the proxy's decision stands between them."""

import re
from collections.abc import Iterator

from kubectl_packetpath.cluster.http.story import Stories, Story
from kubectl_packetpath.render.mermaid import LOOKS, UNSAFE, mermaid
from kubectl_packetpath.render.style import SIGNS, Style, clean
from kubectl_packetpath.render.words import share

NUMBER = re.compile(r"\b([nw]\d+)\b")


def story_mermaid(found: Stories, style: Style) -> Iterator[str]:
    """`flowchart LR`, one subgraph for each request."""
    yield "flowchart LR"
    for number, each in enumerate(found.stories):
        yield f'  subgraph s{number}["{_text(each.title)}"]'
        yield from _story(each, f"s{number}", style)
        yield "  end"
    for family, look in LOOKS.items():
        yield f"  classDef {family} {look}"


def _story(found: Story, prefix: str, style: Style) -> Iterator[str]:
    decision = f"{prefix}d"
    yield f'    {decision}{{"{SIGNS[found.family]} {_text(_decided(found))}"}}:::{found.family}'
    for place, told in enumerate(found.told):
        lines = [_renamed(line, f"{prefix}c{place}") for line in mermaid(told.answer, style)]
        yield f'    subgraph {prefix}c{place}["{place + 1}. {_text(told.title)}"]'
        inner = [line for line in lines[1:] if not line.strip().startswith("classDef")]
        yield from (f"  {line}" for line in inner)
        yield "    end"
        last = place == len(found.told) - 1
        arrow = f"{decision} --> {prefix}c{place}" if last and place else f"{prefix}c{place} --> {decision}"
        yield f"    {arrow}"


def _decided(found: Story) -> str:
    decision = found.decision
    if decision is None:
        return found.title
    if not decision.shares:
        return f"{decision.status or ''} {decision.reason}".strip()
    rule = decision.chosen.words if decision.chosen is not None else ""
    backends = ", ".join(f"{share(each.weight)} {each.backend}" for each in decision.shares)
    return f"{rule} → {backends}"


def _renamed(line: str, prefix: str) -> str:
    """Numbers of boxes are unique only within one chart; what stands in quotes is left as it is."""
    parts = line.split('"')
    return '"'.join(
        part if place % 2 else NUMBER.sub(rf"{prefix}\1", part) for place, part in enumerate(parts)
    )


def _text(text: str) -> str:
    return UNSAFE.sub("'", clean(text).replace(";", ","))
