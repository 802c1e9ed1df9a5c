"""What there is to tell of a question, before any packet is followed: requests, their decisions, the connections.

A URL whose host is a name of the cluster needs no proxy: the name is resolved as the client does, and the connection
goes to the Service.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from kubectl_packetpath.cluster.ask import AskError, Target, TargetKind, find_node, find_pod
from kubectl_packetpath.cluster.http.asking import HttpWish
from kubectl_packetpath.cluster.http.connections import Connection, onward, way_in
from kubectl_packetpath.cluster.http.names import of_musl, of_servers, to_servers
from kubectl_packetpath.cluster.http.plan import Plan, plans
from kubectl_packetpath.cluster.http.request import HttpRequest, is_address, request_of
from kubectl_packetpath.cluster.model import Cluster, Pod
from kubectl_packetpath.cluster.naming.records import Code
from kubectl_packetpath.cluster.naming.resolv import Library
from kubectl_packetpath.cluster.naming.resolver import Files, Resolver, resolver_of
from kubectl_packetpath.cluster.naming.resolving import Manner, Resolution, resolve
from kubectl_packetpath.cluster.question import Expansion, Wish
from kubectl_packetpath.cluster.ways import expand


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One request, and the connections that it takes."""

    title: str
    plan: Plan | None = None
    resolution: Resolution | None = None
    resolver: Resolver | None = None
    connections: tuple[Connection, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def has_questions(self) -> bool:
        """Whether there is any packet to follow."""
        return any(each.expansion.questions for each in self.connections)


def outlines(wish: HttpWish, cluster: Cluster, files: Files | None = None) -> tuple[Outline, ...]:
    """All requests that a question stands for; `files` are those of the pod that it starts from."""
    _look_up(wish, cluster)
    named = _named(wish, cluster, files) if wish.url else None
    if named is not None and named.is_ours:
        return (named.outline(wish, cluster),)
    try:
        found = plans(wish, cluster)
    except AskError:
        if named is None or named.pod is None:
            raise
        return (named.outline(wish, cluster),)
    if named is not None and named.pod is not None and all(each.decision.chosen is None for each in found):
        return (named.outline(wish, cluster),)
    return tuple(_of_plan(each, wish, cluster) for each in found)


def _look_up(wish: HttpWish, cluster: Cluster) -> None:
    """A name that nobody has is a slip of the hand, whatever else the answer could tell."""
    for name in wish.nodes:
        find_node(cluster, name)
    if wish.start is not None and wish.start.kind is TargetKind.NODE:
        find_node(cluster, wish.start.name)
    elif wish.start is not None and wish.start.kind is TargetKind.POD:
        find_pod(cluster, wish.start)


def client_of(wish: HttpWish, cluster: Cluster) -> Pod | None:
    """The pod that resolves a URL's name; None where none does."""
    pod = wish.start is not None and wish.start.kind is TargetKind.POD and bool(wish.url)
    return find_pod(cluster, wish.start) if pod and wish.start is not None else None


def _of_plan(plan: Plan, wish: HttpWish, cluster: Cluster) -> Outline:
    decided = plan.decision
    to = ", ".join(str(each.backend) for each in decided.shares)
    ways = (way_in(plan, cluster, wish.start, wish.nodes), onward(plan, cluster))
    return Outline(
        title=f"{plan.request.method} {plan.request.url}" + (f" → {to}" if to else ""),
        plan=plan,
        connections=tuple(each for each in ways if each.expansion.questions or each.expansion.notes),
        notes=tuple(_client_told(plan)),
    )


def _client_told(plan: Plan) -> list[str]:
    """Whom each side sees as its client."""
    if not plan.decision.shares or not plan.entrance.pods:
        return []
    if plan.settings.passthrough:
        return [
            "TLS passes through the proxy: the backend sees the proxy's address, and no header can tell the client's"
        ]
    return [
        "the backend sees the proxy's address; the client's stands in X-Forwarded-For, as the proxy saw it"
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """A URL whose host is a name that somebody has to resolve."""

    request: HttpRequest
    resolver: Resolver
    resolution: Resolution
    pod: Pod | None

    @property
    def is_ours(self) -> bool:
        """It leads to a Service, or for certain to nothing: no proxy is asked about it."""
        found = self.resolution
        return found.service is not None or (self.pod is not None and found.code != Code.FORWARDED)

    def outline(self, wish: HttpWish, cluster: Cluster) -> Outline:
        """The questions, the way to whoever answers them, and the way to the Service."""
        found = self.resolution
        connections: list[Connection] = []
        if self.pod is not None:
            connections += to_servers(self.resolver, self.pod, wish.start, cluster)
        service = found.service
        if service is not None and found.addresses:
            target = Target(
                kind=TargetKind.SERVICE,
                namespace=service.namespace,
                name=service.name,
                port=str(self.request.port),
            )
            expansion = expand(cluster, Wish(target=target, start=wish.start, nodes=wish.nodes))
            title = f"to Service {service.full_name}"
            connections.append(Connection(title=title, expansion=_only_to(expansion, found)))
        return Outline(
            title=f"{self.request.method} {self.request.url}",
            resolution=found,
            resolver=self.resolver,
            connections=tuple(connections),
            notes=tuple(self.notes(cluster)),
        )

    def notes(self, cluster: Cluster) -> Iterator[str]:
        """What is to be said of who resolves the name."""
        if self.pod is None:
            yield "the name is resolved as pods of this namespace do: no --from was given"
        yield from of_servers(self.resolver)
        manner = _manner(self.resolver, Library.MUSL)
        yield from of_musl(
            self.resolver, self.resolution, resolve(self.resolution.name, self.resolver.musl, cluster, manner)
        )


def _named(wish: HttpWish, cluster: Cluster, files: Files | None) -> _Named | None:
    """The name of a URL, resolved; None where it is an address, or nobody knows who is asked."""
    try:
        request = request_of(wish.url)
    except ValueError:
        return None
    if is_address(request.host):
        return None
    pod = client_of(wish, cluster)
    somebody = pod or Pod(namespace=wish.namespace or cluster.namespace, name="any")
    resolver = resolver_of(somebody, cluster, files)
    if resolver is None:
        return None
    name = urlsplit(wish.url).hostname or request.host  # with its final dot, which the resolver heeds
    found = resolve(name, resolver.conf, cluster, _manner(resolver, Library.GLIBC))
    return _Named(request=request, resolver=resolver, resolution=found, pod=pod)


def _manner(resolver: Resolver, library: Library) -> Manner:
    return Manner(library=library, zone=resolver.zone, foreign=resolver.foreign)


def _only_to(expansion: Expansion, found: Resolution) -> Expansion:
    """Only the addresses to which the name leads."""
    wanted = set(found.addresses)
    return replace(
        expansion, questions=tuple(each for each in expansion.questions if each.destination in wanted)
    )
