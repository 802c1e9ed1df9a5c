"""Findings: below the hop that loses the packet for people, with all their evidence for programs."""

from collections.abc import Iterable, Iterator
from typing import Any

from kubectl_packetpath.findings import Finding
from kubectl_packetpath.findings.base import MOST_REMEDIES
from kubectl_packetpath.render.style import clean
from kubectl_packetpath.trace import Fact

Json = dict[str, Any]


def finding_of(each: Finding) -> Json:
    """A finding for programs."""
    return {
        "id": each.id,
        "code": each.code,
        "title": each.title,
        "severity": each.severity.value,
        "subject": clean(each.subject),
        "message": clean(each.message),
        "node": clean(each.node) or None,
        "namespace": clean(each.namespace) or None,
        "remedy": [clean(text) for text in each.remedy],
        "evidence": [fact_of(fact) for fact in each.evidence],
        "paths": list(each.paths),
    }


def fact_of(fact: Fact) -> Json:
    """A fact for programs."""
    return {
        "section": fact.section,
        "key": clean(fact.key),
        "text": clean(fact.text),
        "packets": fact.packets,
        "bytes": fact.bytes,
    }


def advice(
    found: Iterable[Finding], otherwise: str, said: set[str], *, coded: bool = False
) -> Iterator[tuple[str, str]]:
    """Label and text of the lines below a loss: why it is so (by which code), and what to run, each said once."""
    told = list(found)
    for each in told:
        if each.message not in said:
            said.add(each.message)
            yield "why", clean(f"{each.code} {each.message}" if coded else each.message)
    remedies = [text for each in told if each.id not in said for text in each.remedy]
    said.update(each.id for each in told)
    if not any(each.remedy for each in told):
        remedies = [otherwise]
    for text in list(dict.fromkeys(remedies))[:MOST_REMEDIES]:
        if text and text not in said:
            said.add(text)
            yield "try", clean(text)
