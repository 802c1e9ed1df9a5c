"""Existing connections: one line for people who want all, and everything for programs."""

from collections.abc import Iterable, Iterator
from typing import Any

from kubectl_packetpath.cluster.flows import Existing
from kubectl_packetpath.packet import PROTOCOL_NAMES
from kubectl_packetpath.render.style import clean

Json = dict[str, Any]


def flow_of(each: Existing) -> Json:
    """Existing connections that go to one place, for programs."""
    return {
        "node": clean(each.node),
        "protocol": PROTOCOL_NAMES[each.protocol],
        "destination": str(each.destination),
        "dport": each.port,
        "goes_to": str(each.taker),
        "goes_to_port": each.taker_port,
        "pod": clean(each.pod) or None,
        "standing": each.standing.value,
        "pinned": each.is_pinned,
        "count": each.count,
        "unanswered": each.unanswered,
        "samples": list(each.samples),
        "clear": each.clearing if each.is_pinned else None,
    }


def lines(flows: Iterable[Existing]) -> Iterator[str]:
    """`existing flows: 14 on node1 go to 10.244.1.3:8080 (current)`."""
    for each in flows:
        name = clean(each.pod) or each.standing.value.replace("_", " ")
        go = "goes" if each.count == 1 else "go"
        yield f"existing flows: {each.count} on {clean(each.node)} {go} to {each.where_to} ({name})"
