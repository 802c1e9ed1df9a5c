"""A request and its connections for people: what the proxy decides and why, then each connection as a tree."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from kubectl_packetpath.cluster.http.decision import Considered, Decision, Fate, Result
from kubectl_packetpath.cluster.http.plan import Plan
from kubectl_packetpath.cluster.http.story import Stories, Story, Told
from kubectl_packetpath.cluster.http.tls.serving import Shown
from kubectl_packetpath.cluster.naming.resolving import Asked, Resolution
from kubectl_packetpath.render.proxies import proxies
from kubectl_packetpath.render.style import SIGNS, Style, clean, headline, wrapped
from kubectl_packetpath.render.tree import tree, wide
from kubectl_packetpath.render.words import share

MOST_RULES = 6
MOST_NAMES = 12
LABEL = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """Writes stories."""

    style: Style
    wide: bool
    said: set[tuple[object, ...]] = field(default_factory=set)
    """Connections that were told already: many requests come in by the same way."""

    @property
    def paints(self) -> dict[str, Callable[[str], str]]:
        """How lines about proxies are set."""
        return {"bad": self.style.bad, "faint": self.style.faint, "": str}

    def stories(self, found: Stories) -> Iterator[str]:
        """All of them."""
        for note in found.notes:
            yield from wrapped(clean(note), self.style.width)
        for number, each in enumerate(found.stories):
            if number:
                yield ""
            yield from self.story(each)

    def story(self, found: Story) -> Iterator[str]:
        """One."""
        sign = self.style.of(found.family, SIGNS[found.family])
        parts = (
            (clean(found.title), self.style.strong),
            (_end(found), lambda text: self.style.of(found.family, text)),
        )
        yield from headline(sign, parts, self.style.width)
        if found.plan is not None:
            yield from self.decision(found.plan, found.plan.decision)
        if found.shown is not None:
            yield from self.certificate(found.shown)
        if found.resolver is not None:
            yield from self.row("resolver", found.resolver.title)
        if found.resolution is not None:
            yield from self.resolution(found.resolution)
        for part in found.encryption:
            paint = self.style.unsure if part.encrypted is not True else str
            yield from self.row("encrypted" if part.encrypted else "open", str(part), paint)
        for label, text, family in proxies(found.live, wide=self.wide):
            yield from self.row(label, text, self.paints[family])
        for note in found.notes:
            yield from self.row("note", note)
        for number, each in enumerate(found.told, 1):
            yield ""
            yield from self.connection(number, each)

    def decision(self, plan: Plan, decision: Decision) -> Iterator[str]:
        """Which rule, where to, and why not the others."""
        by = plan.controller.product + (
            f" ({plan.name})" if plan.name not in {"", plan.controller.product} else ""
        )
        if plan.controller.is_known:
            by += ", by its documented behaviour" if plan.gateway is None else ""
        yield from self.row("decides", by)
        if decision.chosen is not None:
            yield from self.row("rule", decision.chosen.title)
        if decision.result is not Result.FORWARDED or decision.chosen is None:
            yield from self.row("answer", _answer(decision))
        for each in decision.shares:
            problem = f": {each.problem}" if each.problem else ""
            paint = self.style.bad if each.problem else str
            yield from self.row("to", f"{share(each.weight)} {each.backend}{problem}", paint)
            for change in each.changes:
                yield from self.row("", change)
        if decision.result is Result.FORWARDED:
            yield from self.row("sent", str(plan.settings.reach))
        for change in decision.changes:
            yield from self.row("changes", change)
        for doubt in decision.doubts:
            yield from self.row("unsure", doubt, self.style.unsure)
        for note in decision.notes:
            yield from self.row("status", note)
        yield from self.others([each for each in decision.considered if each.fate is not Fate.CHOSEN])

    def others(self, rules: list[Considered]) -> Iterator[str]:
        """Rules that do not take the request."""
        shown = rules if self.wide else rules[:MOST_RULES]
        for each in shown:
            yield from self.row(_FATES[each.fate], f"{each.title}: {each.why}", self.style.faint)
        if len(shown) < len(rules):
            yield from self.row("", f"{len(rules) - len(shown)} more rules: -o wide", self.style.faint)

    def certificate(self, shown: Shown) -> Iterator[str]:
        """What the client sees of TLS."""
        certificate = shown.certificate
        if certificate is not None:
            names = ", ".join((*certificate.names, *map(str, certificate.addresses))) or certificate.subject
            until = f"{certificate.not_after:%Y-%m-%d}"
            yield from self.row(
                "TLS", f"{shown.secret}: for {names}, until {until}, issued by {certificate.issuer}"
            )
        elif shown.unknown:
            yield from self.row("TLS", f"not looked at: {shown.unknown}")
        for problem in shown.problems:
            yield from self.row("TLS", problem, self.style.bad)
        for note in shown.notes:
            yield from self.row("", note)

    def resolution(self, found: Resolution) -> Iterator[str]:
        """Each name that is asked for."""
        shown = found.asked if self.wide else found.asked[:MOST_NAMES]
        for each in shown:
            yield from self.row("DNS", _question(each))
        if len(shown) < len(found.asked):
            yield from self.row("", f"{len(found.asked) - len(shown)} more names: -o wide", self.style.faint)
        if not found.asked and not found.addresses:
            yield from self.row("DNS", f"{found.name} is no name that can be asked for")
        if len(found.asked) > 1:
            most = "" if found.is_certain else "at most "
            yield from self.row("", f"{most}{found.questions} questions in all")

    def connection(self, number: int, told: Told) -> Iterator[str]:
        """One connection as a tree."""
        yield self.style.strong(f"{number}. {clean(told.title)}")
        key = (told.title, tuple(way.question for way in told.answer.ways))
        if told.answer.ways and key in self.said and not self.wide:
            yield f"   as above: {self.style.of(told.family, SIGNS[told.family])} {_FAMILIES[told.family]}"
            return
        self.said.add(key)
        write = wide if self.wide else tree
        style = replace(self.style, columns=self.style.width - 3)
        lines = list(write(told.answer, style)) or ["nothing to follow"]
        yield from (f"   {line}".rstrip() for line in lines)

    def row(self, label: str, text: str, paint: Callable[[str], str] = str) -> Iterator[str]:
        """A label and its text, in as many lines as it takes; nothing of what others wrote is a command."""
        for number, line in enumerate(wrapped(clean(text), self.style.width - LABEL - 3)):
            begin = self.style.faint(f"{label:<{LABEL}}") if number == 0 else " " * LABEL
            yield f"  {begin} {paint(line)}".rstrip()


_FATES = {
    Fate.NOT_MATCHED: "not",
    Fate.OUTRANKED: "after",
    Fate.NOT_SERVED: "not",
    Fate.UNDECIDED: "perhaps",
    Fate.CHOSEN: "rule",
}


_FAMILIES = {"arrived": "arrives", "lost": "does not arrive, or not always", "unknown": "not certain"}


def _answer(decision: Decision) -> str:
    status = f"{decision.status} " if decision.status is not None else ""
    location = f"to {decision.location}: " if decision.location else ""
    return f"{status}{location}{decision.reason}"


def _end(found: Story) -> str:
    decision = found.decision
    if decision is not None and decision.result is Result.REDIRECTED and found.family == "arrived":
        return clean(f"{decision.status} to {decision.location}")
    if decision is not None and decision.result is Result.ANSWERED:
        return f"answered with {decision.status or 'an error'} by the proxy"
    if decision is not None and decision.result is Result.REFUSED:
        return "refused"
    return _FAMILIES[found.family]


def _question(each: Asked) -> str:
    chain = " → ".join([each.candidate.name, *(answer.name for answer in each.answers[1:])])
    addresses = ", ".join(map(str, each.last.addresses))
    return f"{chain}: {addresses or each.last.code} ({each.candidate.why}; {each.last.why})"


def story_tree(found: Stories, style: Style) -> Iterator[str]:
    """The decision, then one line per hop."""
    return _Writer(style=style, wide=False).stories(found)


def story_wide(found: Stories, style: Style) -> Iterator[str]:
    """With every rule, step and fact."""
    return _Writer(style=style, wide=True).stories(found)
