"""Which rule of which Ingress takes a request.

The host is chosen first, exact before wildcard before none; below it the longest path, and an exact one before
a prefix of the same length. What nobody takes goes to the default backend.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/ingress/
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from kubectl_packetpath.cluster.http.backends import Problem
from kubectl_packetpath.cluster.http.decision import (
    Backend,
    Considered,
    Decision,
    Fate,
    Result,
    Share,
)
from kubectl_packetpath.cluster.http.hosts import covers_one_label, nearness
from kubectl_packetpath.cluster.http.manner import (
    SPECIFIED,
    Conflict,
    Fallback,
    Manner,
    MissingService,
    PathManner,
)
from kubectl_packetpath.cluster.http.model import Ingress, IngressPath, IngressRule
from kubectl_packetpath.cluster.http.paths import path_matches
from kubectl_packetpath.cluster.http.request import HttpRequest

MannerOf = Callable[[Ingress], Manner]
ProblemOf = Callable[[Backend], Problem | None]
TYPES = {"Exact": 2, "Prefix": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """One path of one rule, or a rule or an Ingress that names a default backend only."""

    ingress: Ingress
    manner: Manner
    place: str
    host: str
    path: IngressPath | None
    problem: Problem | None = None

    @property
    def words(self) -> str:
        """The rule for people."""
        host = self.host or "any host"
        if self.path is None:
            return f"{host}, no paths"
        return f"{host} {self.path.path or '/'} ({self.path.type})"

    @property
    def compared(self) -> PathManner:
        """How its path is compared."""
        kind = "" if self.path is None else self.path.type
        if kind == "Exact":
            return PathManner.EXACT
        return self.manner.prefixes if kind == "Prefix" else self.manner.own_paths

    @property
    def rank(self) -> tuple[int, int]:
        """Longer first, then exact."""
        path = self.path.path if self.path is not None else ""
        length = len(path.rstrip("/")) if self.compared is PathManner.PREFIX else len(path)
        return (-length, -TYPES.get(self.path.type if self.path else "", 0))

    def told(self, fate: Fate, why: str) -> Considered:
        """For the answer."""
        return Considered(
            source=self.ingress.reference, place=self.place, words=self.words, fate=fate, why=why
        )


@dataclass(slots=True, kw_only=True)
class _Choice:
    """A decision in the making."""

    request: HttpRequest
    told: list[Considered] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def without_other_hosts(self, all_of_them: Iterable[_Candidate]) -> list[_Candidate]:
        """Those whose host covers that of the request."""
        left = []
        for each in all_of_them:
            if covers_one_label(each.host, self.request.host):
                left.append(each)
            else:
                self.told.append(each.told(Fate.NOT_MATCHED, _why_not_host(each.host, self.request.host)))
        return left

    def without_unprogrammed(self, candidates: Iterable[_Candidate]) -> list[_Candidate]:
        """Without those for which a proxy that chooses the host first has nothing to choose."""
        left = []
        for each in candidates:
            if each.manner.fallback is not Fallback.NOT_FOUND:
                left.append(each)
            elif each.path is None:
                self.told.append(
                    each.told(Fate.NOT_SERVED, "it has no paths, so the proxy does not know the host")
                )
            elif _is_left_out(each):
                self.told.append(each.told(Fate.NOT_SERVED, f"left out by the controller: {each.problem}"))
            else:
                left.append(each)
        return left

    def with_path(self, candidates: Iterable[_Candidate]) -> list[_Candidate]:
        """Those whose path matches."""
        left = []
        for each in candidates:
            if each.path is None:
                continue
            found = path_matches(each.compared, each.path.path, self.request.path)
            if found is None:
                why = f"whether it matches {self.request.path} is for the controller to say"
                self.told.append(each.told(Fate.UNDECIDED, why))
                self.doubts.append(f"{each.told(Fate.UNDECIDED, '').title}: {why}")
            elif not found:
                why = f"{self.request.path} does not match, compared {each.compared}"
                self.told.append(each.told(Fate.NOT_MATCHED, why))
            elif _is_left_out(each):
                self.told.append(each.told(Fate.NOT_SERVED, f"left out by the controller: {each.problem}"))
            else:
                left.append(each)
        return left

    def best(self, matching: list[_Candidate]) -> _Candidate:
        """The one that wins; says why the others do not."""
        ordered = sorted(matching, key=lambda each: (each.rank, each.ingress.age, each.place))
        first = ordered[0]
        for other in ordered[1:]:
            self.told.append(other.told(Fate.OUTRANKED, self._why_outranked(first, other)))
        return first

    def _why_outranked(self, first: _Candidate, other: _Candidate) -> str:
        if first.rank[0] != other.rank[0]:
            return f"{first.words} is longer"
        if first.rank != other.rank:
            return f"{first.words} comes first by its type"
        if first.ingress == other.ingress:
            return f"{first.place} stands before it"
        where = f"{first.ingress.reference} claims the same host and path"
        if first.manner.conflict is Conflict.OLDEST:
            return f"{where} and is older"
        self.doubts.append(
            f"{first.ingress.reference} and {other.ingress.reference} both claim {first.words}: "
            f"{first.manner.conflict}"
        )
        return f"{where}: {first.manner.conflict}"


def route_ingress(
    request: HttpRequest,
    ingresses: Iterable[Ingress],
    manner_of: MannerOf = lambda _: SPECIFIED,
    problem_of: ProblemOf = lambda _: None,
) -> Decision:
    """What becomes of a request at the controller that applies these Ingresses."""
    mine = sorted(ingresses, key=lambda each: each.age)
    choice = _Choice(request=request)
    candidates = [each for ingress in mine for each in _candidates(ingress, manner_of(ingress), problem_of)]
    here = choice.without_unprogrammed(choice.without_other_hosts(candidates))
    hosts = sorted({each.host for each in here}, key=nearness, reverse=True)
    wildcard = _covering_wildcard(candidates, request.host)
    if wildcard and nearness(wildcard) > nearness(hosts[0] if hosts else ""):
        choice.told += [
            each.told(Fate.OUTRANKED, f"the controller looks at {wildcard} only") for each in here
        ]
        return _not_found(choice)
    for number, host in enumerate(hosts):
        own = [each for each in here if each.host == host]
        matching = choice.with_path(own)
        if matching:
            _tell_wider(choice, here, hosts[number + 1 :], host)
            return _forwarded(choice, choice.best(matching), problem_of)
        if own[0].manner.fallback is not Fallback.WIDER_HOSTS:
            _tell_wider(choice, here, hosts[number + 1 :], host)
            break
    return _default(choice, mine, hosts, manner_of, problem_of)


def _is_left_out(candidate: _Candidate) -> bool:
    problem = candidate.problem
    skipped = candidate.manner.missing_service is MissingService.SKIPPED
    return problem is not None and problem.missing and skipped


def _candidates(ingress: Ingress, manner: Manner, problem_of: ProblemOf) -> Iterator[_Candidate]:
    for number, rule in enumerate(ingress.rules):
        start = _Candidate(
            ingress=ingress, manner=manner, place=f"rules[{number}]", host=_host(rule), path=None
        )
        if not rule.paths:
            yield start
        for position, path in enumerate(rule.paths):
            place = f"rules[{number}].paths[{position}]"
            yield replace(start, place=place, path=path, problem=problem_of(path.backend))


def _covering_wildcard(candidates: list[_Candidate], host: str) -> str:
    """The nearest wildcard that keeps a host of more labels from rules for all hosts, as Envoy's do."""
    wide = {
        each.host
        for each in candidates
        if each.manner.hosts_cover_wildcards
        and each.host.startswith("*.")
        and host.endswith(each.host[1:])
        and not covers_one_label(each.host, host)
    }
    return max(wide, key=nearness, default="")


def _host(rule: IngressRule) -> str:
    return rule.host.lower().rstrip(".")


def _why_not_host(pattern: str, host: str) -> str:
    host = host or "no host"
    if pattern.startswith("*.") and host.endswith(pattern[1:]):
        return f"the wildcard stands for one label only, and {host} has more"
    return f"the host is {host}"


def _tell_wider(choice: _Choice, here: list[_Candidate], wider: list[str], host: str) -> None:
    for each in here:
        if each.host in wider:
            choice.told.append(each.told(Fate.OUTRANKED, f"rules for {host or 'any host'} are nearer"))


def _forwarded(choice: _Choice, first: _Candidate, problem_of: ProblemOf) -> Decision:
    path = first.path
    if path is None:  # with_path leaves none of these
        raise ValueError(f"{first.place} has no path")
    chosen = first.told(Fate.CHOSEN, f"{choice.request.host or 'no host'}{choice.request.path} matches")
    return _to(choice, chosen, path.backend, problem_of)


def _to(choice: _Choice, chosen: Considered, backend: Backend, problem_of: ProblemOf) -> Decision:
    problem = problem_of(backend)
    share = Share(
        backend=backend,
        problem=str(problem) if problem is not None else "",
        status=problem.status if problem is not None else None,
    )
    return Decision(
        request=choice.request,
        result=Result.ANSWERED if problem is not None and problem.status else Result.FORWARDED,
        reason=f"{chosen.source} {chosen.place}" + (f": {problem}" if problem is not None else ""),
        status=problem.status if problem is not None else None,
        chosen=chosen,
        shares=(share,),
        considered=(chosen, *choice.told),
        notes=tuple(choice.notes),
        doubts=tuple(dict.fromkeys(choice.doubts)),
    )


def _default(
    choice: _Choice,
    ingresses: list[Ingress],
    hosts: list[str],
    manner_of: MannerOf,
    problem_of: ProblemOf,
) -> Decision:
    """Where a request goes that no rule takes."""
    found = []
    for ingress in ingresses:
        if ingress.default_backend is None:
            continue
        chosen = Considered(
            source=ingress.reference,
            place="defaultBackend",
            words="whatever no rule takes",
            fate=Fate.CHOSEN,
            why="no rule matches",
        )
        why = _why_no_default(ingress, hosts, manner_of(ingress))
        if why:
            choice.told.append(replace(chosen, fate=Fate.NOT_SERVED, why=why))
        else:
            found.append((chosen, ingress))
    if not found:
        return _not_found(choice)
    chosen, first = found[0]
    for other, ingress in found[1:]:
        choice.told.append(replace(other, fate=Fate.OUTRANKED, why=f"{first.reference} has one too"))
        choice.doubts.append(
            f"{first.reference} and {ingress.reference} both have a default backend: "
            f"{Conflict.UNDEFINED} by the specification"
        )
    backend = first.default_backend
    if backend is None:  # found holds only those that have one
        raise ValueError(f"{first.reference} has no default backend")
    return _to(choice, chosen, backend, problem_of)


def _why_no_default(ingress: Ingress, hosts: list[str], manner: Manner) -> str:
    known = [host for host in hosts if host]
    if manner.fallback is Fallback.NOT_FOUND and known:
        return f"the controller answers 404 for a path of {known[0]} that no rule takes"
    if manner.default_by_host and ingress.rules:
        own = {_host(rule) for rule in ingress.rules}
        if not own & set(hosts):
            return "the controller uses it for the hosts of this Ingress only"
    return ""


def _not_found(choice: _Choice) -> Decision:
    undecided = bool(choice.doubts)
    return Decision(
        request=choice.request,
        result=Result.UNKNOWN if undecided else Result.ANSWERED,
        status=None if undecided else 404,
        reason=f"no rule matches {choice.request.host or 'a request without host'}{choice.request.path}, "
        "and no Ingress has a default backend for it: the controller answers with its own, mostly 404",
        considered=tuple(choice.told),
        notes=tuple(choice.notes),
        doubts=tuple(dict.fromkeys(choice.doubts)),
    )
