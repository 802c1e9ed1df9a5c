"""A connection through a pod network, walked and made: both must pass the same interfaces and meet the same rules.

The first namespace of such a lab is the node and is called `host-NAME` after the lab, the others stand for pods,
for other nodes and for what is between them.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from kernel.lab import Lab, answer, question, walk
from kernel.tunnels.capture import Capture, Layer, Seen, capturing, comparable, frames_of, told

from kubectl_packetpath.packet import TCP_ACK, TCP_SYN
from kubectl_packetpath.trace import Path, StepKind, Verdict
from kubectl_packetpath.walk.explore import NodePath
from testbed.netns import succeed

PATIENCE = 5.0
"""Seconds for what should succeed; what should fail is believed to have failed earlier."""
FIRST_SPORT = 40000
SPORTS = count(FIRST_SPORT)
"""Each connection has a port of its own: what is left of earlier ones must not be taken for it."""
SAVED = ("iptables-legacy-save", "iptables-nft-save")
RULE = re.compile(r"\[(\d+):\d+\] -A (\S+) ")
DECIDED = re.compile(r"\S+ (?P<table>\w+)/(?P<chain>\S+)/(?P<position>\d+)$")

Rule = tuple[str, str, str, int]
"""Namespace, table, chain, position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the walk says of a connection."""

    asked: NodePath
    back: NodePath | None = None
    """The answer; None where nothing arrives that could be answered."""

    @property
    def result(self) -> tuple[str, str, str]:
        """What the client sees: the result, who answers, and the address by which it knows the client."""
        verdict = self.asked.ending.verdict
        if self.back is not None and self.back.ending.verdict is Verdict.DELIVERED:
            return (
                "reached",
                self.asked.hops[-1].namespace.removeprefix("lab/"),
                str(self.asked.packet.source),
            )
        if self.back is None and verdict in {Verdict.REFUSED, Verdict.REJECTED}:
            return "refused", "", ""
        return "timeout", "", ""

    def places(self) -> list[str]:
        """The interfaces that the packets come in by, as `namespace/device`: those of the answer come last."""
        return [f"{seen.namespace}/{seen.device}" for path in self.paths for seen in path]

    @property
    def paths(self) -> Iterator[list[Seen]]:
        """What comes in where, for the question and for its answer."""
        for path in (self.asked, self.back):
            if path is not None:
                yield _told(path)

    def rules(self) -> dict[Rule, str]:
        """The rules that are named as reasons, and what they say."""
        found = {}
        for path in (self.asked, self.back):
            for hop in () if path is None else path.hops:
                namespace = (
                    f"host-{hop.node}" if hop.namespace == "host" else hop.namespace.removeprefix("lab/")
                )
                for fact in (fact for step in hop.steps for fact in step.because):
                    place = DECIDED.match(fact.key) if fact.section.startswith("iptables") else None
                    if place is not None:
                        rule = namespace, place["table"], place["chain"], int(place["position"])
                        found[rule] = fact.text
        return found

    def chains(self) -> set[str]:
        """The chains whose rules decided."""
        return {chain for _, _, chain, _ in self.rules()}


def assert_agrees(made: Lab, client: str, target: str, port: int) -> Told:
    """One TCP connection does what the walk says: its end, each interface with each header, and the rules it meets."""
    sport = next(SPORTS)
    said = tell(made, client, target, port, sport)
    before = counted(made)
    with capturing(made, *_everywhere(made)) as capture:
        seen = made.reach(
            client, target, port, sport=sport, seconds=0.5 if said.result[0] == "timeout" else PATIENCE
        )
        real = _passed(capture, sport)
    result = seen["result"], seen.get("name", ""), seen.get("client", "")
    met = {rule for rule, packets in counted(made).items() if packets > before.get(rule, 0)}

    assert result == said.result
    for expected, passed in zip((*said.paths, []), real, strict=False):
        _assert_same(expected, passed, loose=said.asked.packet.sport_chosen)
    missed = {rule: text for rule, text in said.rules().items() if rule not in met}
    assert not missed, f"the kernel did not count these rules: {missed}"
    unsaid = {rule for rule in met if rule[1] == "nat"} - set(said.rules())
    assert not unsaid, f"the walk did not name these rules: {unsaid}"
    return said


def tell(made: Lab, client: str, target: str, port: int, sport: int = 0) -> Told:
    """The only path, and the only one of the answer to it."""
    (asked,) = walk(made, client, question(target, port, sport=sport or next(SPORTS)))
    if asked.ending.verdict is not Verdict.DELIVERED:
        return Told(asked=asked)
    (back,) = answer(made, asked)
    return Told(asked=asked, back=back)


def fails(made: Lab, client: str, target: str, port: int) -> Told:
    """What the walk says of a connection that nobody answers in reality."""
    said = tell(made, client, target, port)
    assert made.reach(client, target, port, sport=next(SPORTS), seconds=0.5)["result"] != "reached"
    return said


def counted(made: Lab) -> dict[Rule, int]:
    """The packets that each rule of the node has counted, as `iptables-save -c` tells them."""
    name = next(iter(made.namespaces))
    found: dict[Rule, int] = {}
    for program in SAVED:
        table, positions = "", Counter[str]()
        for line in succeed([*made[name].enter, program, "-c"]).splitlines():
            rule = RULE.match(line)
            if line.startswith("*"):
                table, positions = line.removeprefix("*"), Counter()
            elif rule is not None:
                positions[rule[2]] += 1
                found[name, table, rule[2], positions[rule[2]]] = int(rule[1])
    return found


def routed(path: NodePath) -> list[str]:
    """By which route or rule of routing each decision was made, as `ip` prints them."""
    facts = (
        fact
        for hop in path.hops
        for step in hop.steps
        if step.kind is StepKind.ROUTED
        for fact in step.because
    )
    return [fact.text for fact in facts]


def _told(path: NodePath) -> list[Seen]:
    places = [f"{name}/{device}" for name, device in _came_in(path)]
    whole = Path(weight=path.weight, hops=path.hops, packet=path.packet, ending=path.ending)
    return told(whole, *places)


def _came_in(path: NodePath) -> Iterator[tuple[str, str]]:
    for hop in path.hops:
        namespace = f"host-{hop.node}" if hop.namespace == "host" else hop.namespace.removeprefix("lab/")
        for step in hop.steps:
            if step.kind is StepKind.RECEIVED and " takes " in step.text:
                yield namespace, step.text.split(" takes ")[0]


def _everywhere(made: Lab) -> Iterator[str]:
    """All interfaces but the loopbacks and bridges, which get what their ports have got."""
    for name, namespace in made.namespaces.items():
        for line in succeed([*namespace.enter, "ip", "-o", "-d", "link"]).splitlines():
            device = line.split(": ")[1].split("@")[0]
            if device != "lo" and " bridge forward_delay" not in line:
                yield f"{name}/{device}"


def _passed(capture: Capture, sport: int) -> tuple[list[Seen], list[Seen]]:
    """What came in by the interfaces: the first packet of the connection, and the first that answers it."""
    asked: list[Seen] = []
    answered: list[Seen] = []
    for (namespace, device), listener in capture.sockets.items():
        for frame in frames_of(listener):
            flags = (frame.tcp_flags or 0) & (TCP_SYN | TCP_ACK)
            passed = {TCP_SYN: asked, TCP_SYN | TCP_ACK: answered}.get(flags)
            seen = Seen(namespace=namespace, device=device, layers=frame.layers)
            earlier = {frame.layers[-1].sport, frame.layers[-1].dport} & set(range(FIRST_SPORT, sport))
            if passed is not None and not frame.outgoing and not earlier and seen not in passed:
                passed.append(seen)
    return asked, answered


def _assert_same(expected: list[Seen], passed: list[Seen], *, loose: bool) -> None:
    claimed, real = sorted(expected, key=_place), sorted(passed, key=_place)
    if loose:
        claimed, real = [_without_port(seen) for seen in claimed], [_without_port(seen) for seen in real]
    real = comparable(real, claimed)
    assert real == claimed, "\n".join(("seen:", *map(str, real), "told:", *map(str, claimed)))


def _place(seen: Seen) -> tuple[str, str, int]:
    return seen.namespace, seen.device, -len(seen.layers)


def _without_port(seen: Seen) -> Seen:
    """The kernel has chosen a port of the client's, which nobody can foretell."""
    return replace(seen, layers=tuple(_loose(layer) for layer in seen.layers))


def _loose(layer: Layer) -> Layer:
    sport = layer.sport if (layer.sport or 0) < 1024 else None
    dport = layer.dport if (layer.dport or 0) < 1024 else None
    return replace(layer, sport=sport, dport=dport)
