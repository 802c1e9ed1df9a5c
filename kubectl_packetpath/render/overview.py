"""All Services of a namespace, one line each, and below those that are not well what is wrong."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.overview import NO_WAY, Row, counts, target_of, worst
from kubectl_packetpath.findings import Finding, findings, findings_at_all
from kubectl_packetpath.render.findings import finding_of
from kubectl_packetpath.render.machine import JSON_SCHEMA, missing, not_known
from kubectl_packetpath.render.style import SIGNS, Style, clean, wrapped

Json = dict[str, Any]
WORDS = {"arrived": "arrive", "lost": "lose packets", "unknown": "unknown", NO_WAY: "without a way in"}
INDENT = "    "


def line_of(row: Row, width: int, style: Style, *, named_fully: bool) -> Iterator[str]:
    """A Service in a line, its name in this many columns, and what is wrong with it."""
    name = clean(row.service.full_name if named_fully else row.service.name)
    family = row.family
    good, total = row.ways["arrived"], sum(row.ways.values())
    told = f"{good} of {total} ways in arrive" if total else WORDS[NO_WAY]
    sign = "-" if family == NO_WAY else style.of(family, SIGNS[family])
    yield f"{sign} {style.strong(f'{name:<{width}}')}  {told if family == NO_WAY else style.of(family, told)}"
    for text in _reasons(row):
        yield from (f"{INDENT}{line}" for line in wrapped(clean(text), style.width - len(INDENT)))


def _reasons(row: Row) -> Iterator[str]:
    """What is wrong; other notes are for who asks about that Service alone."""
    answer = row.answer
    found = (
        {each.code: f"{each.code} {each.title}" for each in found_in(answer)} if answer is not None else {}
    )
    yield from found.values()
    if found or row.family == "arrived":
        return
    yield from row.notes
    if answer is not None:
        yield from dict.fromkeys(
            reason for way in answer.ways if way.family == row.family for reason in _why(way)
        )


def _why(way: Answered) -> Iterator[str]:
    """Why a way in is what it is, where no finding says so."""
    path = way.worst
    if way.family == "unknown":
        yield from not_known(way)
    elif path is not None:
        lost = path if path.reply is None or path.ending.verdict.family != "arrived" else path.reply
        yield f"{way.verdict}: {lost.ending.reason}"


def found_in(answer: Answer) -> Iterator[Finding]:
    """All findings of an answer, alike ones of several ways in once."""
    told = [each for way in answer.ways for each in findings(answer, way)] + [*findings_at_all(answer)]
    yield from dict.fromkeys(replace(each, paths=()) for each in told)


def summary(rows: Iterable[Row], where: str, style: Style) -> Iterator[str]:
    """How many there are of each kind, and what to ask next."""
    listed = list(rows)
    total = len(listed)
    parts = [f"{number} {WORDS[family]}" for family, number in counts(listed)]
    told = f"{total} {'Service' if total == 1 else 'Services'} {where}: {', '.join(parts)}"
    family = worst(row.family for row in listed)
    yield ""
    yield told if family == NO_WAY else style.of(family, told)
    bad = next((row for row in listed if row.family == family), None)
    if bad is not None and family in {"lost", "unknown"}:
        target = target_of(bad.service)
        yield f"  try: kubectl packetpath {clean(str(target))} -n {clean(target.namespace)}"


def document(rows: Iterable[Row], nodes_missing: dict[str, str]) -> Json:
    """The same for programs."""
    listed = list(rows)
    return {
        "schema": JSON_SCHEMA,
        "end": worst(row.family for row in listed),
        "services": [_service(row) for row in listed],
        "nodes_missing": missing(nodes_missing),
    }


def _service(row: Row) -> Json:
    answer = row.answer
    ways = answer.ways if answer is not None else ()
    return {
        "namespace": clean(row.service.namespace),
        "name": clean(row.service.name),
        "end": row.family,
        "ways": dict(row.ways),
        "verdict": str(answer.verdict) if answer is not None and ways else None,
        "findings": [finding_of(each) for each in found_in(answer)] if answer is not None else [],
        "unknown": list(dict.fromkeys(clean(text) for way in ways for text in not_known(way))),
        "notes": [clean(note) for note in row.notes],
    }
