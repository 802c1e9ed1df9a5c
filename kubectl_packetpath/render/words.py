"""A hop in one line: where it is, what changed there, and by which way the packet went on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from kubectl_packetpath.cluster.answer import Answer
from kubectl_packetpath.dialects import meaning
from kubectl_packetpath.packet import PROTOCOL_NAMES, Packet, endpoint
from kubectl_packetpath.render.style import clean
from kubectl_packetpath.trace import Fact, Hop, Path, Step, StepKind

COMMENT = re.compile(r' -m comment --comment (?:"[^"]*"|\S+)')
TOLD = (
    StepKind.ENCAPSULATED,
    StepKind.DECAPSULATED,
    StepKind.ENCRYPTED,
    StepKind.DECRYPTED,
    StepKind.PROXIED,
    StepKind.BALANCED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a hop's line and how it should look."""

    text: str
    look: str = "plain"
    """plain, changed, unsure, or the family of a verdict."""
    optional: bool = False
    """May be left out where the line is full."""


def place_of(hop: Hop, answer: Answer) -> str:
    """The node, or the pod without the namespace that everybody is in."""
    if hop.namespace == "host":
        return clean(hop.node)
    home = answer.service.namespace if answer.service is not None else answer.cluster.namespace
    return clean(hop.namespace.removeprefix(f"{home}/"))


def parts_of(hop: Hop) -> Iterator[Part]:
    """What a hop did to the packet, in the order in which it did it."""
    onward = ""
    for step in hop.steps:
        if step.kind is StepKind.ORIGINATED:
            yield Part(text=_sent(step))
        elif step.kind is StepKind.REWROTE and step.before is not None and step.after is not None:
            for text in _changes(step.before, step.after):
                yield Part(text=text, look="changed")
        elif step.kind in TOLD:
            yield Part(text=clean(step.text), look="changed")
        elif step.kind is StepKind.ASSUMED:
            yield Part(text=f"assumed: {clean(step.text)}", look="unsure")
        elif step.kind is StepKind.ROUTED or (step.kind is StepKind.BRIDGED and not onward):
            onward = clean(step.text)
    if onward and hop.steps[-1].kind is StepKind.SENT:
        yield Part(text=onward.removeprefix("onward ").removeprefix("out "), optional=True)


def program_of(hop: Hop) -> str:
    """Whose rules chose the destination here: `kube-proxy`; empty where nobody known did."""
    found = ""
    for step in hop.steps:
        found = next((m.program for fact in step.because if (m := meaning(fact)) is not None), found)
        if _new_destination(step):
            return found
    return ""


def _new_destination(step: Step) -> bool:
    return (
        step.kind is StepKind.REWROTE
        and step.before is not None
        and step.after is not None
        and step.before.destination != step.after.destination
    )


def _sent(step: Step) -> str:
    packet = step.after
    if packet is None:
        return clean(step.text).removeprefix("a socket ")
    source = str(packet.source) if packet.sport_chosen else endpoint(packet.source, packet.sport)
    name = PROTOCOL_NAMES.get(packet.protocol, str(packet.protocol))
    return f"sends {name} {source} > {endpoint(packet.destination, packet.dport)}"


def _changes(before: Packet, after: Packet) -> Iterator[str]:
    """Only what it became: what it was stands a line above."""
    new = endpoint(after.destination, after.dport)
    if new != endpoint(before.destination, before.dport):
        yield f"→ {new}"
    if before.source != after.source:
        yield f"source → {after.source}"
    elif before.sport != after.sport and not after.sport_chosen:
        yield f"source port → {after.sport}"


def headers(packet: Packet) -> Iterator[str]:
    """The headers of a wrapped packet, outermost first, each with its link addresses where they are known."""
    layer: Packet | None = packet
    while layer is not None:
        name = PROTOCOL_NAMES.get(layer.protocol, str(layer.protocol))
        source = str(layer.source) if layer.sport_chosen else endpoint(layer.source, layer.sport)
        macs = f" [{layer.source_mac} → {layer.destination_mac}]" if layer.destination_mac else ""
        around = f", {layer.wrapping}" if layer.inner is not None else ""
        yield f"{name} {source} → {endpoint(layer.destination, layer.dport)}{macs}{around}"
        layer = layer.inner


def share(weight: Fraction | None) -> str:
    """A probability as an engineer says it: `1/3`, or per cent where no small fraction is near."""
    if weight is None:
        return "?"
    near = weight.limit_denominator(999)
    if abs(near - weight) < Fraction(1, 1_000_000):
        return str(near)
    return f"{float(weight):.1%}"


def short_rule(fact: Fact) -> str:
    """A rule without its comment: the tree has few columns, and `-o wide` and JSON tell all."""
    return clean(COMMENT.sub("", fact.text or fact.key))


def endpoint_of(path: Path) -> str:
    """Where a path ended, as address and port."""
    return endpoint(path.packet.destination, path.packet.dport)
