"""The answer for programs: JSON and YAML, documented in docs/reference-json.md and versioned.

A single way in is one object; several are listed under `ways` below the worst verdict of all.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.question import Question
from kubectl_packetpath.findings import findings, findings_at_all
from kubectl_packetpath.packet import PROTOCOL_NAMES, Packet
from kubectl_packetpath.render.clouds import balancer_of
from kubectl_packetpath.render.findings import fact_of, finding_of
from kubectl_packetpath.render.flows import flow_of
from kubectl_packetpath.render.policies import enforcement_of, sides_of
from kubectl_packetpath.render.style import Style, clean
from kubectl_packetpath.trace import Budget, Hop, Path, Step

JSON_SCHEMA = 1
"""Rises only with a change that a reader could trip over; new keys may come at any time."""

Json = dict[str, Any]


def document(answer: Answer) -> Json:
    """The whole answer as plain data."""
    more: Json = {"notes": [clean(note) for note in answer.notes]} if answer.notes else {}
    if answer.enforcement is not None:
        more["enforcement"] = enforcement_of(answer.enforcement)
    if answer.balancer is not None:
        more["balancer"] = balancer_of(answer.balancer)
    at_all = [finding_of(each) for each in findings_at_all(answer)]
    if len(answer.ways) == 1:
        way = _way(answer, answer.ways[0])
        return {"schema": JSON_SCHEMA, **way, "findings": [*way["findings"], *at_all], **more}
    return {
        "schema": JSON_SCHEMA,
        "target": clean(answer.target),
        "verdict": str(answer.verdict),
        "ways": [_way(answer, way) for way in answer.ways],
        "findings": at_all,
        "nodes_missing": missing(answer.nodes_missing),
        **more,
    }


def _way(answer: Answer, way: Answered) -> Json:
    paths = way.trace.paths
    touched = {hop.node for path in paths for hop in path.hops}
    return {
        "question": _question(way.question, way.trace.packet),
        "verdict": str(way.verdict),
        "paths": [path_of(path) | _policies(way, path) for path in paths],
        "findings": [finding_of(each) for each in findings(answer, way)],
        "flows": [flow_of(each) for each in way.flows],
        **({} if way.budget is None else {"mtu": _budget(way.budget)}),
        "unknown": list(dict.fromkeys(clean(text) for text in not_known(way))),
        "nodes_missing": missing(answer.nodes_missing, touched),
    }


def _budget(budget: Budget) -> Json:
    return {
        "packet_bytes": budget.packet_bytes,
        "payload_bytes": budget.payload_bytes,
        "limit": clean(budget.limit) or None,
        "pieces_from_bytes": budget.pieces_from,
    }


def missing(nodes: Mapping[str, str], touched: set[str] | None = None) -> list[Json]:
    """Nodes without state and why: all, or those of these."""
    return [
        {"node": clean(name), "reason": clean(why)}
        for name, why in sorted(nodes.items())
        if touched is None or name in touched
    ]


def _policies(way: Answered, path: Path) -> Json:
    judged = way.policy_of(path)
    return {"policies": [] if judged is None else sides_of(judged)}


def not_known(way: Answered) -> Iterator[str]:
    """What keeps the paths of a way from being certain; the same may come several times."""
    for path in way.trace.paths:
        yield from _unknown(path)
        if way.question.doubt:
            yield way.question.doubt
        if undecided := way.undecided(path):
            yield undecided


def _unknown(path: Path) -> Iterator[str]:
    yield from path.assumed
    if path.ending.verdict.family == "unknown":
        yield path.ending.reason
    if path.reply is not None:
        yield from _unknown(path.reply)


def _question(question: Question, packet: Packet) -> Json:
    start = question.start
    return {
        "title": clean(question.title),
        "way": question.way,
        "subject": clean(question.subject),
        "from": {
            "kind": start.kind.value,
            "node": clean(start.node),
            "pod": clean(start.pod.full_name) if start.pod is not None else None,
        },
        **_packet(packet),
        "expected": [
            {"address": str(e.address), "port": e.port, "pod": clean(e.pod), "node": clean(e.node)}
            for e in question.expected
        ],
        **({"says": clean(question.says)} if question.says else {}),
        **({"doubt": clean(question.doubt)} if question.doubt else {}),
    }


def _packet(packet: Packet) -> Json:
    return {
        "source": str(packet.source),
        "sport": None if packet.sport_chosen else packet.sport,
        "destination": str(packet.destination),
        "dport": packet.dport,
        "protocol": PROTOCOL_NAMES.get(packet.protocol, str(packet.protocol)),
        **_carried(packet),
    }


def _carried(packet: Packet) -> Json:
    """What a tunnel has put inside, with the link addresses of its frame where there is one."""
    inner = packet.inner
    if inner is None:
        return {}
    frame = {"source_mac": inner.source_mac, "destination_mac": inner.destination_mac}
    told: Json = {"encapsulation": packet.encapsulation}
    told |= {"vni": packet.vni} if packet.vni is not None else {}
    return told | {"inner": _packet(inner) | {name: mac for name, mac in frame.items() if mac}}


def path_of(path: Path) -> Json:
    """One path, with the answer to it."""
    return {
        "weight": None if path.weight is None else float(path.weight),
        "verdict": str(path.ending.verdict),
        "reason": clean(path.ending.reason),
        "remedy": clean(path.ending.remedy),
        "packet": _packet(path.packet),
        "egress": clean(path.egress) or None,
        "masqueraded": path.masqueraded,
        "assumed": [clean(text) for text in path.assumed],
        "hops": [_hop(hop) for hop in path.hops],
        "reply": path_of(path.reply) if path.reply is not None else None,
    }


def _hop(hop: Hop) -> Json:
    return {
        "node": clean(hop.node),
        "namespace": clean(hop.namespace),
        "steps": [_step(step) for step in hop.steps],
    }


def _step(step: Step) -> Json:
    told: Json = {
        "kind": step.kind.value,
        "text": clean(step.text),
        "because": [fact_of(fact) for fact in step.because],
    }
    if step.before is not None and step.after is not None:
        told |= {"before": _state(step.before), "after": _state(step.after)}
    return told


def _state(packet: Packet) -> Json:
    macs = {"source_mac": packet.source_mac, "destination_mac": packet.destination_mac}
    return (
        _packet(packet)
        | {"mark": packet.mark, "size_bytes": packet.size_bytes}
        | {name: mac for name, mac in macs.items() if mac}
    )


def as_json(answer: Answer, _style: Style) -> Iterator[str]:
    """JSON, indented; everything outside of ASCII is escaped, so no terminal can be led astray."""
    yield from json_lines(document(answer))


def as_yaml(answer: Answer, _style: Style) -> Iterator[str]:
    """The same as YAML."""
    yield from yaml_lines(document(answer))


def json_lines(told: Json) -> Iterator[str]:
    """JSON, indented; everything outside of ASCII is escaped, so no terminal can be led astray."""
    yield json.dumps(told, indent=2)


def yaml_lines(told: Json) -> Iterator[str]:
    """The same as YAML."""
    import yaml  # noqa: PLC0415 - only who asks for YAML waits for its library

    yield yaml.safe_dump(told, sort_keys=False, width=120).rstrip()
