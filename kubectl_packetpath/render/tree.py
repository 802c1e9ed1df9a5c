"""The answer for people: one line per hop, what changed, the share of each branch, and where it is lost."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import takewhile

from kubectl_packetpath.cluster.answer import Answer, Answered, end_of
from kubectl_packetpath.cluster.policy.judged import Judged
from kubectl_packetpath.cluster.policy.verdict import Says
from kubectl_packetpath.findings import Finding, findings, findings_at_all
from kubectl_packetpath.packet import PROTOCOL_NAMES, endpoint
from kubectl_packetpath.render.clouds import balancer_lines
from kubectl_packetpath.render.findings import advice
from kubectl_packetpath.render.flows import lines as flow_lines
from kubectl_packetpath.render.grouping import Branch, Group, branches, groups
from kubectl_packetpath.render.policies import details, line_of
from kubectl_packetpath.render.style import SIGNS, Style, clean, command_lines, headline, wrapped
from kubectl_packetpath.render.words import (
    Part,
    endpoint_of,
    parts_of,
    place_of,
    program_of,
    share,
    short_rule,
)
from kubectl_packetpath.trace import Fact, Hop, Path, Step, StepKind, Verdict

WIDEST_PLACE = 26
MOST_NAMED = 3
MOST_IN_FULL = 4
"""Past this many ways in, those that arrive are told in brief: a reader looks for what is broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Writes one answer."""

    answer: Answer
    style: Style
    wide: bool = False
    said: set[str] = field(default_factory=set)
    """What was advised already: said once below each way in."""
    why: dict[int, tuple[Finding, ...]] = field(default_factory=dict)
    """What was found of the path with this identity."""

    def lines(self) -> Iterator[str]:
        """The whole answer."""
        told = groups(self.answer)
        if self.answer.balancer is not None:
            yield from balancer_lines(self.answer.balancer, self.style)
            yield ""
        for note in self.answer.notes:
            yield from wrapped(clean(note), self.style.width)
        if self.answer.notes and told:
            yield ""
        for number, group in enumerate(told):
            if number:
                yield ""
            brief = (
                len(told) > MOST_IN_FULL and number and group.example.family == "arrived" and not self.wide
            )
            yield from self._brief(group) if brief else self._group(group)
        for each in findings_at_all(self.answer):
            yield ""
            yield from self._finding(each, "")
        if len(told) > 1:
            yield ""
            yield from self._summary(told)

    def _group(self, group: Group) -> Iterator[str]:
        way = group.example
        self._look_for_reasons(way)
        yield from self._title(way)
        yield from self._starts(group)
        found = branches(way)
        hops = _shared([path for branch in found for path in branch.paths])
        whole = len(found) == 1 and len(found[0].paths) == 1
        if whole:
            yield from self._path(way, found[0].example, found[0].example.hops, "  ")
            yield from self._budget(way)
            yield from self._found(group)
            return
        for hop in hops:
            yield from self._hop(hop, "│ ", last=None)
        yield from self._choice(found, len(hops))
        for branch in found:
            last = branch is found[-1]
            yield self._branch_title(way, branch, "└─" if last else "├─")
            rest = branch.example.hops[len(hops) :]
            yield from self._path(way, branch.example, rest, "     " if last else "│    ")
        yield from self._budget(way)
        yield from self._found(group)

    def _brief(self, group: Group) -> Iterator[str]:
        """Only where it may end."""
        yield from self._title(group.example)
        yield from self._starts(group)
        for branch in branches(group.example):
            yield self._branch_title(group.example, branch, " ")
        yield from self._budget(group.example)

    def _budget(self, way: Answered) -> Iterator[str]:
        """The longest packet, where it was asked for."""
        found = way.budget
        if found is None:
            return
        if found.packet_bytes is None:
            yield from self._under(f"not even the shortest packet fits: {clean(found.limit)}", "  ", str)
            return
        text = f"longest packet: {found.packet_bytes} bytes ({found.payload_bytes} of them payload)"
        yield from self._under(f"{text}; {clean(found.limit)}" if found.limit else text, "  ", str)
        if found.pieces_from is not None:
            yield from self._under(f"from {found.pieces_from} bytes on it is sent in pieces", "  ", str)

    def _choice(self, found: tuple[Branch, ...], place: int) -> Iterator[str]:
        """Who it is that chooses among the branches, where that is known."""
        hop = found[0].example.hops[place]
        program = program_of(hop)
        ends = {path.packet.destination for branch in found for path in branch.paths}
        if program and len(ends) > 1:
            label = f"{place_of(hop, self.answer):<{self._column}}"
            yield f"│ {label} {program} picks one of {len(ends)} endpoints"

    @property
    def _column(self) -> int:
        """Width of the column of places."""
        paths = [path for way in self.answer.ways for path in way.trace.paths]
        places = [place_of(hop, self.answer) for path in paths for hop in path.hops]
        return min(WIDEST_PLACE, max(map(len, places), default=8))

    def _title(self, way: Answered) -> Iterator[str]:
        question, family = way.question, way.family
        parts = (
            (clean(question.target), self.style.strong),
            (clean(question.subject), str),
            (_end(way), lambda text: self.style.of(family, text)),
        )
        yield from headline(self.style.of(family, SIGNS[family]), parts, self.style.width)

    def _starts(self, group: Group) -> Iterator[str]:
        start = group.example.question.start
        others = [way.question.start for way in group.ways[1:]]
        yield f"  from {clean(start.title)}"
        if doubt := group.example.question.doubt:
            yield from self._under(clean(doubt), "  ", self.style.unsure)
        if told := group.example.question.says:
            yield from self._under(f"answers {clean(told)}", "  ", str)
        if others:
            nodes = ", ".join(dict.fromkeys(clean(each.node) for each in others))
            yield from self._under(f"same answer through {nodes}", "  ", self.style.faint)

    def _branch_title(self, way: Answered, branch: Branch, line: str) -> str:
        family = way.family_of(branch.example)
        ends = list(dict.fromkeys(endpoint_of(path) for path in branch.paths))
        named = ", ".join(ends[:MOST_NAMED])
        more = f" and {len(ends) - MOST_NAMED} more" if len(ends) > MOST_NAMED else ""
        weight = self.style.strong(share(branch.weight))
        sign = self.style.of(family, SIGNS[family])
        node = clean(branch.example.hops[-1].node)
        where = f" on {node}" if branch.example.hops[-1].namespace != "host" else ""
        return f"{line} {weight} {sign} {named}{more}{where}"

    def _path(self, way: Answered, path: Path, hops: tuple[Hop, ...], indent: str) -> Iterator[str]:
        for hop in hops:
            yield from self._hop(hop, indent, last=path if hop is path.hops[-1] else None)
        yield from self._policy(way.policy_of(path), indent)
        reply = path.reply
        if reply is None:
            return
        if reply.ending.verdict.family == "arrived":
            if self.wide:
                yield from self._reply(reply, indent)
            return
        yield from self._reply(reply, indent)

    def _policy(self, judged: Judged | None, indent: str) -> Iterator[str]:
        """What the API's policies say, where any has a say."""
        if line := line_of(judged):
            self.said.add(line.removeprefix("policy: denied: "))
            allowed = judged is not None and judged.verdict.says is Says.ALLOWED and not judged.undecided
            yield from self._under(line, indent, self.style.faint if allowed else self.style.unsure)
        if self.wide:
            for text in details(judged):
                yield from self._under(text, indent + "    ", self.style.faint)

    def _look_for_reasons(self, way: Answered) -> None:
        """What was found of each path, and of the answer to it."""
        self.said.clear()
        self.why.clear()
        told = findings(self.answer, way)
        for number, path in enumerate(way.trace.paths):
            own = tuple(each for each in told if number in each.paths)
            self.why[id(path)] = own
            if path.reply is not None:
                self.why[id(path.reply)] = own

    def _found(self, group: Group) -> Iterator[str]:
        """What is wrong and was not said at the hop that loses the packet, and where existing connections go."""
        for way in group.ways:
            for each in findings(self.answer, way):
                new = each.id not in self.said if way is group.example else not each.paths
                if new or not (each.paths or each.message in self.said):
                    yield from self._finding(each, "  ")
            if self.wide:
                for line in flow_lines(way.flows):
                    yield from self._under(line, "  ", self.style.faint)

    def _finding(self, each: Finding, indent: str) -> Iterator[str]:
        yield from self._under(f"! {each.code} {clean(each.title)}", indent, self.style.bad)
        for label, text in advice((each,), "", self.said):
            yield from self._advised(label, text, indent + "  ")

    def _reply(self, reply: Path, indent: str) -> Iterator[str]:
        family = reply.ending.verdict.family
        sign = "and the answer:" if family == "arrived" else "but the answer does not come back:"
        yield f"{indent}{self.style.of(family, sign)}"
        for hop in reply.hops:
            yield from self._hop(hop, indent + "  ", last=reply if hop is reply.hops[-1] else None)

    def _hop(self, hop: Hop, indent: str, *, last: Path | None) -> Iterator[str]:
        place, column = place_of(hop, self.answer), self._column
        parts = list(parts_of(hop))
        if last is not None:
            parts = [p for p in parts if not (p.look == "unsure" and clean(last.ending.reason) in p.text)]
            parts.append(self._ending(last))
        lost = last is not None and last.ending.verdict.family == "lost"
        label = f"{place:<{column}}"
        painted = self.style.bad(label) if lost else label
        lines = list(self._flow(parts, self.style.width - len(indent) - column - 1))
        if len(place) > column:
            yield f"{indent}{painted}"
            painted = " " * column
        for number, line in enumerate(lines or [""]):
            yield f"{indent}{painted if number == 0 else ' ' * column} {line}".rstrip()
        if self.wide:
            for step in hop.steps:
                yield from self._step(step, indent + "    ")
        if last is not None and last.ending.verdict.family != "arrived":
            yield from self._evidence(hop, last, indent + "  ")

    def _ending(self, path: Path) -> Part:
        verdict = path.ending.verdict
        sign = SIGNS[verdict.family]
        word = "" if verdict.family == "arrived" else f"{verdict} "
        return Part(text=f"{sign} {word}{clean(path.ending.reason)}", look=verdict.family)

    def _flow(self, parts: list[Part], room: int) -> Iterator[str]:
        """Parts beside each other while they fit, each in its look; what is optional does not break a line."""
        line, used = "", 0
        for part in parts:
            fits = used + 2 + len(part.text) <= room
            if used and fits:
                line, used = f"{line}, {self._look(part, part.text)}", used + 2 + len(part.text)
            elif not (used and part.optional and not self.wide):
                if used:
                    yield line
                *before, text = wrapped(part.text, room)
                yield from (self._look(part, each) for each in before)
                line, used = self._look(part, text), len(text)
        if used:
            yield line

    def _look(self, part: Part, text: str) -> str:
        if part.look in SIGNS:
            return self.style.of(part.look, text)
        looks = {"changed": self.style.changed, "unsure": self.style.unsure, "faint": self.style.faint}
        return looks[part.look](text) if part.look in looks else text

    def _evidence(self, hop: Hop, path: Path, indent: str) -> Iterator[str]:
        for fact in hop.steps[-1].because if hop.steps and not self.wide else ():
            yield from self._labelled(_section(fact), f"{short_rule(fact)}{_counters(fact)}", indent)
        found = self.why.get(id(path), ())
        for label, text in advice(found, path.ending.remedy, self.said, coded=self.wide):
            yield from self._advised(label, text, indent)

    def _advised(self, label: str, text: str, indent: str) -> Iterator[str]:
        """A command goes over several lines as a shell takes it, and is never cut."""
        if label != "try":
            yield from self._labelled(label, text, indent)
            return
        for number, line in enumerate(command_lines(text, self.style.width - len(indent) - 10)):
            yield f"{indent}{self.style.faint(f'{label:<9}') if number == 0 else ' ' * 9} {line}"

    def _labelled(self, label: str, text: str, indent: str) -> Iterator[str]:
        room = self.style.width - len(indent) - 10
        for number, line in enumerate(wrapped(text, room, 0 if self.wide else 3)):
            yield f"{indent}{self.style.faint(f'{label:<9}') if number == 0 else ' ' * 9} {line}"

    def _step(self, step: Step, indent: str) -> Iterator[str]:
        unsure = step.kind is StepKind.ASSUMED
        text = f"{step.kind.value}: {clean(step.text)}"
        yield from self._under(text, indent, self.style.unsure if unsure else self.style.faint)
        for fact in step.because:
            key = clean(fact.key)
            told = f"{clean(fact.text)}{_counters(fact)}" if fact.text else key
            yield from self._under(f"{fact.section} {key}", indent + "  ", self.style.faint)
            if fact.text:
                yield from self._under(told, indent + "    ", str)

    def _under(self, text: str, indent: str, paint: Callable[[str], str]) -> Iterator[str]:
        for line in wrapped(text, self.style.width - len(indent)):
            yield f"{indent}{paint(line)}"

    def _summary(self, told: tuple[Group, ...]) -> Iterator[str]:
        good = sum(1 for group in told for way in group.ways if way.family == "arrived")
        total = sum(len(group.ways) for group in told)
        family = self.answer.family
        text = f"{clean(self.answer.target)}: {good} of {total} ways in arrive"
        yield self.style.of(family, text)
        rows = [_row(group) for group in told]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        for group, (target, end, nodes) in zip(told, rows, strict=True):
            family = group.example.family
            sign = self.style.of(family, SIGNS[family])
            padded = self.style.of(family, f"{end:<{widths[1]}}")
            yield f"  {sign} {target:<{widths[0]}}  {padded}  {self.style.faint(nodes)}".rstrip()


def _row(group: Group) -> tuple[str, str, str]:
    """Target, end and nodes of a line of the summary."""
    way = group.example
    question = way.question
    nodes = " ".join(dict.fromkeys(clean(each.question.start.node) for each in group.ways))
    protocol = PROTOCOL_NAMES.get(question.protocol, "")
    target = f"{endpoint(question.destination, question.port or None)}/{protocol}"
    if question.way == "NodePort":
        target = f"IPv{question.destination.version} *:{question.port}/{protocol}"
    return f"{question.way} {target}", _end(way), nodes


def _end(way: Answered) -> str:
    """A way's end in a word or two."""
    if way.question.way == "Packet" and way.family == "arrived":
        return ", ".join(dict.fromkeys(str(path.ending.verdict) for path in way.trace.paths))
    if way.family != "arrived":
        return _loss(way)
    left = all(path.ending.verdict is Verdict.LEFT_CLUSTER for path in way.trace.paths)
    return "leaves the cluster" if left else "arrives"


def _loss(way: Answered) -> str:
    """`1/3 NO_ROUTE`, or the verdict alone where all is lost, or UNKNOWN."""
    lost = [path for path in way.trace.paths if path.weight and way.family_of(path) == "lost"]
    verdicts = ", ".join(dict.fromkeys(str(end_of(path)) for path in lost)) or str(way.verdict)
    total = sum((path.weight for path in lost if path.weight is not None), Fraction(0))
    return verdicts if total in {0, 1} else f"{share(total)} {verdicts}"


def _section(fact: Fact) -> str:
    return "rule" if fact.section.startswith(("iptables", "nftables")) else fact.section


def _counters(fact: Fact) -> str:
    return "" if fact.packets is None else f"  [{fact.packets} packets]"


def _shared(paths: list[Path]) -> tuple[Hop, ...]:
    """The hops that all paths have in common, told once above the branches."""
    columns = zip(*(path.hops[:-1] for path in paths), strict=False)
    return tuple(hops[0] for hops in takewhile(lambda hops: all(h == hops[0] for h in hops), columns))


def tree(answer: Answer, style: Style) -> Iterator[str]:
    """One line per hop."""
    return Tree(answer=answer, style=style).lines()


def wide(answer: Answer, style: Style) -> Iterator[str]:
    """The tree with every step and every fact."""
    return Tree(answer=answer, style=style, wide=True).lines()
