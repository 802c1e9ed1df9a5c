"""Which rule of which route takes a request at a Gateway.

Listener first, then among all attached routes the nearest host, then the match that the specification ranks
highest, then the oldest route, then the order in which the rules are written.

Kubernetes: https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule (matches)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kubectl_packetpath.cluster.http.decision import Considered, Decision, Fate, Result
from kubectl_packetpath.cluster.http.gateway.attachment import Attachment, attachments
from kubectl_packetpath.cluster.http.gateway.forwarding import forwarded
from kubectl_packetpath.cluster.http.gateway.hostnames import precedence
from kubectl_packetpath.cluster.http.gateway.listeners import taking
from kubectl_packetpath.cluster.http.gateway.matching import rank, tried, why_first, words_of
from kubectl_packetpath.cluster.http.gateway.model import HTTP_KINDS, Listener, Match, RouteRule
from kubectl_packetpath.cluster.http.gateway.status import told_of
from kubectl_packetpath.cluster.http.gateway.streams import by_server_name
from kubectl_packetpath.cluster.http.gateway.world import GatewayWorld
from kubectl_packetpath.cluster.http.hosts import covers_any_labels
from kubectl_packetpath.cluster.http.request import HttpRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One match of one rule at one listener, for one of the route's hosts."""

    attachment: Attachment
    hostname: str
    rule: RouteRule
    match: Match
    order: tuple[int, int]

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"rules[{self.order[0]}].matches[{self.order[1]}]"

    def told(self, fate: Fate, why: str) -> Considered:
        """For the answer."""
        host = "any host" if self.hostname == "*" else self.hostname
        return Considered(
            source=self.attachment.route.reference,
            place=self.place,
            words=f"{host} {words_of(self.match)}",
            fate=fate,
            why=why,
        )


@dataclass(slots=True, kw_only=True)
class _Routing:
    """A decision in the making."""

    world: GatewayWorld
    request: HttpRequest
    told: list[Considered] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def attached(self, listeners: tuple[Listener, ...]) -> list[Attachment]:
        """Routes at these listeners; says why the others are not there."""
        found = []
        for route in self.world.routes:
            if route.kind not in HTTP_KINDS:
                continue
            tries = list(attachments(self.world.gateway, route, self.world.labels))
            here = [each for each in tries if each.listener in listeners]
            found += [each for each in here if each.holds]
            if not any(each.holds for each in here):
                self._tell_detached(tries, here)
        return found

    def _tell_detached(self, tries: list[Attachment], here: list[Attachment]) -> None:
        for each in here or tries[:1]:
            fate = Fate.UNDECIDED if each.unknown else Fate.NOT_SERVED
            why = each.why_not or f"it is attached to {each.listener.title}, where this does not come in"
            if each.unknown:
                self.doubts.append(f"{each.route.reference}: {why}")
            words = f"for {', '.join(each.route.hostnames) or 'any host'}"
            self.told.append(
                Considered(
                    source=each.route.reference, place=f"at {each.parent}", words=words, fate=fate, why=why
                )
            )

    def of_host(self, attached: Iterable[Attachment]) -> Iterator[Candidate]:
        """The matches whose host covers that of the request, each by its nearest host."""
        for each in attached:
            covering = [h for h in each.hostnames if covers_any_labels(h, self.request.host)]
            if covering:
                yield from _candidates(each, max(covering, key=precedence))
                continue
            for number, rule in enumerate(each.route.rules):
                for position, match in enumerate(rule.matches):
                    candidate = Candidate(
                        attachment=each,
                        hostname=", ".join(each.hostnames),
                        rule=rule,
                        match=match,
                        order=(number, position),
                    )
                    why = f"the host is {self.request.host or 'not named'}"
                    self.told.append(candidate.told(Fate.NOT_MATCHED, why))

    def matching(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Those that match, the first one first."""
        found = []
        for each in candidates:
            trial = tried(each.match, self.request)
            if trial.holds:
                found.append(each)
            elif trial.holds is None:
                self.told.append(each.told(Fate.UNDECIDED, trial.why))
                self.doubts.append(f"{each.told(Fate.UNDECIDED, '').title}: {trial.why}")
            else:
                self.told.append(each.told(Fate.NOT_MATCHED, trial.why))
        found.sort(key=_order)
        return found

    def chosen(self, matching: list[Candidate]) -> Candidate:
        """The first; says why the others come after it."""
        first = matching[0]
        for other in matching[1:]:
            self.told.append(other.told(Fate.OUTRANKED, self._why_after(first, other)))
            kinds = {first.match.path.type, other.match.path.type}
            if "RegularExpression" in kinds and len(kinds) > 1 and first.hostname == other.hostname:
                self._doubt_expressions(first, other)
        return first

    def _why_after(self, first: Candidate, other: Candidate) -> str:
        one, two = first.attachment.route, other.attachment.route
        if precedence(first.hostname) != precedence(other.hostname):
            return f"rules for {first.hostname} are nearer"
        why = why_first(first.match, other.match)
        if why:
            return f"{one.reference} {first.place} comes first: {why}"
        if one == two:
            return f"{first.place} stands before it"
        return (
            f"{one.reference} is older"
            if one.created != two.created
            else f"{one.reference} comes first by name"
        )

    def _doubt_expressions(self, first: Candidate, other: Candidate) -> None:
        if self.world.manner.expressions_rank or "Exact" in {first.match.path.type, other.match.path.type}:
            return
        self.doubts.append(
            f"whether {words_of(first.match)} comes before {words_of(other.match)} is for the implementation "
            "to say: the specification does not rank expressions"
        )


def _candidates(attachment: Attachment, hostname: str) -> Iterator[Candidate]:
    for number, rule in enumerate(attachment.route.rules):
        for position, match in enumerate(rule.matches):
            yield Candidate(
                attachment=attachment, hostname=hostname, rule=rule, match=match, order=(number, position)
            )


def _order(each: Candidate) -> tuple[object, ...]:
    letters, all_letters = precedence(each.hostname)
    return (-letters, -all_letters, rank(each.match), each.attachment.route.age, each.order)


def route_gateway(request: HttpRequest, world: GatewayWorld) -> Decision:
    """What becomes of a request at a Gateway."""
    taken = taking(world.gateway, request)
    if not taken.listeners:
        refused = taken.status is None
        return Decision(
            request=request,
            result=Result.REFUSED if refused else Result.ANSWERED,
            status=taken.status,
            reason=taken.why_not,
            notes=told_of(world, None, None),
        )
    listener = taken.listeners[0]
    if listener.protocol == "TLS":
        return by_server_name(request, world, listener)
    routing = _Routing(world=world, request=request)
    isolated = world.manner.isolates is not False
    listeners = (listener,) if isolated else taken.listeners
    matching = _nearest(routing, listeners)
    if world.manner.isolates is None and len(taken.listeners) > 1:
        _doubt_isolation(routing, taken.listeners, matching)
    if not matching:
        return _not_found(routing, listener)
    return _decided(routing, matching)


def _nearest(routing: _Routing, listeners: tuple[Listener, ...]) -> list[Candidate]:
    """What matches; implementations that choose the host first do not look at wider ones."""
    candidates = list(routing.of_host(routing.attached(listeners)))
    matching = routing.matching(candidates)
    if not matching or not candidates:
        return matching
    nearest = max((each.hostname for each in candidates), key=precedence)
    if matching[0].hostname == nearest or routing.world.manner.falls_through:
        return matching
    text = f"the routes for {nearest} do not take {routing.request.path}"
    if routing.world.manner.falls_through is False:
        why = f"{text}, and the implementation looks no further"
        routing.told += [each.told(Fate.NOT_SERVED, why) for each in matching]
        return []
    routing.doubts.append(
        f"{text}: by the specification those for {matching[0].hostname} are tried next, and implementations "
        "that choose the host first answer 404"
    )
    return matching


def _doubt_isolation(routing: _Routing, listeners: tuple[Listener, ...], matching: list[Candidate]) -> None:
    """Without isolation of listeners another route might take it."""
    other = _Routing(world=routing.world, request=routing.request)
    merged = _nearest(other, listeners)
    one = matching[0].attachment.route.reference if matching else None
    two = merged[0].attachment.route.reference if merged else None
    if one != two:
        routing.doubts.append(
            f"an implementation that does not isolate listeners sends this by {two} of {listeners[-1].title}"
        )


def _not_found(routing: _Routing, listener: Listener) -> Decision:
    undecided = any(each.fate is Fate.UNDECIDED for each in routing.told)
    shown = f"{routing.request.host or 'a request without host'}{routing.request.path}"
    return Decision(
        request=routing.request,
        result=Result.UNKNOWN if undecided else Result.ANSWERED,
        status=None if undecided else 404,
        reason=f"no route at {listener.title} of {routing.world.gateway.reference} takes {shown}",
        considered=tuple(routing.told),
        notes=told_of(routing.world, listener, None),
        doubts=tuple(dict.fromkeys(routing.doubts)),
    )


def _decided(routing: _Routing, matching: list[Candidate]) -> Decision:
    first = routing.chosen(matching)
    route, listener = first.attachment.route, first.attachment.listener
    chosen = first.told(Fate.CHOSEN, f"at {listener.title}")
    return forwarded(
        Decision(
            request=routing.request,
            result=Result.FORWARDED,
            reason=f"{route.reference} {first.place} at {listener.title}",
            chosen=chosen,
            considered=(chosen, *routing.told),
            notes=told_of(routing.world, listener, route),
            doubts=tuple(dict.fromkeys(routing.doubts)),
        ),
        first.attachment,
        first.rule,
        first.match,
        routing.world,
    )
