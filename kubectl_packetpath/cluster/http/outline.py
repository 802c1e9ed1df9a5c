"""What there is to tell of a question, before any packet is followed: requests, their decisions, the connections.

A URL whose host is a name of the cluster needs no proxy: the name is resolved as the client does, and the connection
goes to the Service.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from kubectl_packetpath.cluster.ask import AskError, Target, TargetKind, find_pod
from kubectl_packetpath.cluster.http.asking import HttpWish
from kubectl_packetpath.cluster.http.connections import Connection, onward, way_in
from kubectl_packetpath.cluster.http.plan import Plan, plans
from kubectl_packetpath.cluster.http.request import HttpRequest, is_address, request_of
from kubectl_packetpath.cluster.model import Cluster, Pod, Service
from kubectl_packetpath.cluster.naming.pods import dns_service, resolv_conf_of
from kubectl_packetpath.cluster.naming.resolv import Library, ResolvConf
from kubectl_packetpath.cluster.naming.resolving import Resolution, resolve
from kubectl_packetpath.cluster.question import Expansion, Wish
from kubectl_packetpath.cluster.ways import expand

DNS_PORT = "53"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One request, and the connections that it takes."""

    title: str
    plan: Plan | None = None
    resolution: Resolution | None = None
    connections: tuple[Connection, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def has_questions(self) -> bool:
        """Whether there is any packet to follow."""
        return any(each.expansion.questions for each in self.connections)


def outlines(wish: HttpWish, cluster: Cluster) -> tuple[Outline, ...]:
    """All requests that a question stands for."""
    inside = _inside(wish, cluster) if wish.url else None
    if inside is not None:
        return (inside,)
    outside = _elsewhere(wish, cluster) if wish.url else None
    try:
        found = plans(wish, cluster)
    except AskError:
        if outside is None:
            raise
        return (outside,)
    if outside is not None and all(each.decision.chosen is None for each in found):
        return (outside,)
    return tuple(_of_plan(each, wish, cluster) for each in found)


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


def _inside(wish: HttpWish, cluster: Cluster) -> Outline | None:
    """A request for a name that the cluster's DNS knows as a Service; None for other names."""
    try:
        request = request_of(wish.url)
    except ValueError:
        return None
    if is_address(request.host):
        return None
    pod = (
        find_pod(cluster, wish.start)
        if wish.start is not None and wish.start.kind is TargetKind.POD
        else None
    )
    conf = _conf(pod, wish, cluster)
    name = urlsplit(wish.url).hostname or request.host  # with its final dot, which the resolver heeds
    found = resolve(name, conf, cluster) if conf is not None else None
    if found is None or (found.service is None and pod is None):
        return None
    if found.service is None and found.code == "forwarded":
        return None
    return _resolved(request, found, pod, wish, cluster)


def _elsewhere(wish: HttpWish, cluster: Cluster) -> Outline | None:
    """What a pod does to reach a name that other servers know: its questions, and who is asked."""
    pod = (
        find_pod(cluster, wish.start)
        if wish.start is not None and wish.start.kind is TargetKind.POD
        else None
    )
    conf = resolv_conf_of(pod, cluster) if pod is not None else None
    request = request_of(wish.url)
    if conf is None or is_address(request.host):
        return None
    found = resolve(urlsplit(wish.url).hostname or request.host, conf, cluster)
    return _resolved(request, found, pod, wish, cluster)


def _conf(pod: Pod | None, wish: HttpWish, cluster: Cluster) -> ResolvConf | None:
    if pod is not None:
        return resolv_conf_of(pod, cluster)
    somebody = Pod(namespace=wish.namespace or cluster.namespace, name="any")
    return resolv_conf_of(somebody, cluster)


def _resolved(
    request: HttpRequest, found: Resolution, pod: Pod | None, wish: HttpWish, cluster: Cluster
) -> Outline:
    connections = []
    dns = dns_service(cluster)
    start = wish.start
    if dns is not None and pod is not None:
        connections.append(Connection(title="to the cluster's DNS", expansion=_to_dns(dns, wish, cluster)))
    service = found.service
    if service is not None and found.addresses:
        target = Target(
            kind=TargetKind.SERVICE, namespace=service.namespace, name=service.name, port=str(request.port)
        )
        expansion = expand(cluster, Wish(target=target, start=start, nodes=wish.nodes))
        connections.append(
            Connection(title=f"to Service {service.full_name}", expansion=_only_inside(expansion, found))
        )
    return Outline(
        title=f"{request.method} {request.url}",
        resolution=found,
        connections=tuple(connections),
        notes=tuple(_of_resolvers(found, pod, wish, cluster)),
    )


def _to_dns(dns: Service, wish: HttpWish, cluster: Cluster) -> Expansion:
    target = Target(kind=TargetKind.SERVICE, namespace=dns.namespace, name=dns.name, port=DNS_PORT)
    try:
        return expand(cluster, Wish(target=target, start=wish.start, protocol="udp"))
    except AskError as error:
        return Expansion(questions=(), notes=(str(error),))


def _of_resolvers(found: Resolution, pod: Pod | None, wish: HttpWish, cluster: Cluster) -> Iterator[str]:
    """What is to be said of who resolves the name."""
    if pod is None:
        yield "the name is resolved as pods of this namespace do: no --from was given"
    conf = _conf(pod, wish, cluster)
    if conf is None:
        return
    other = resolve(found.name, conf, cluster, library=Library.MUSL)
    if other.addresses != found.addresses:
        got = ", ".join(map(str, other.addresses)) or "no address"
        yield (
            f"this is glibc's way; a program with musl (Alpine) stops at {other.asked[-1].candidate.name} and "
            f"gets {got}"
        )


def _only_inside(expansion: Expansion, found: Resolution) -> Expansion:
    """Only the addresses to which the name leads."""
    wanted = set(found.addresses)
    return replace(
        expansion, questions=tuple(each for each in expansion.questions if each.destination in wanted)
    )
