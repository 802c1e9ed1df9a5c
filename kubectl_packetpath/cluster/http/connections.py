"""The two connections of a request: from the client to a proxy, and from the proxy to a backend.

A proxy ends the first and begins the second: the backend sees the proxy's address, whatever the client's is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product

from kubectl_packetpath.cluster.ask import AskError, Target, TargetKind
from kubectl_packetpath.cluster.http.backends import port_of_backend, service_of_backend
from kubectl_packetpath.cluster.http.controllers.base import Reach
from kubectl_packetpath.cluster.http.decision import Result, Share
from kubectl_packetpath.cluster.http.plan import Plan
from kubectl_packetpath.cluster.maker import SOMEBODY
from kubectl_packetpath.cluster.model import Cluster, Pod, Service, ServicePort
from kubectl_packetpath.cluster.naming.resolver import Resolver
from kubectl_packetpath.cluster.published import expected_endpoints
from kubectl_packetpath.cluster.question import Expansion, Expected, Question, Start, Wish
from kubectl_packetpath.cluster.ways import expand
from kubectl_packetpath.packet import PROTOCOL_NUMBERS

MOST_QUESTIONS = 48
OUTSIDE = {"NodePort", "LoadBalancer", "ExternalIP", "Target"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One of the connections, as the questions that it stands for."""

    title: str
    expansion: Expansion
    resolver: Resolver | None = None
    """Whose first server this one leads to."""


def way_in(plan: Plan, cluster: Cluster, start: Target | None, nodes: tuple[str, ...]) -> Connection:
    """From the client to the proxies."""
    title = f"from the client to the proxy, port {plan.request.port}"
    notes: list[str] = [plan.entrance.why] if plan.entrance.why else []
    questions: list[Question] = []
    for service in plan.entrance.services:
        for port in _ports(service, plan.request.port):
            found = _expanded(cluster, _target(service, port), start, nodes, notes)
            questions += _from_outside(found) if start is None else found
    if not plan.entrance.services:
        for pod in plan.entrance.pods:
            questions += _expanded(cluster, _pod_target(pod, plan.request.port), start, nodes, notes)
    if not questions and plan.entrance.services:
        names = ", ".join(each.full_name for each in plan.entrance.services)
        notes.append(f"Service {names} offers no way in for port {plan.request.port}.")
    return Connection(title=title, expansion=_limited(questions, notes))


def _ports(service: Service, number: int) -> tuple[ServicePort, ...]:
    """The port that was asked; all of them where a balancer in front may have changed it."""
    exact = tuple(each for each in service.ports if each.port == number and each.protocol == "TCP")
    return exact or tuple(each for each in service.ports if each.node_port == number)


def _target(service: Service, port: ServicePort) -> Target:
    return Target(
        kind=TargetKind.SERVICE, namespace=service.namespace, name=service.name, port=str(port.port)
    )


def _pod_target(pod: Pod, port: int) -> Target:
    if pod.host_network:
        return Target(kind=TargetKind.NODE, name=pod.node, port=str(port))
    return Target(kind=TargetKind.POD, namespace=pod.namespace, name=pod.name, port=str(port))


def _expanded(
    cluster: Cluster, target: Target, start: Target | None, nodes: tuple[str, ...], notes: list[str]
) -> list[Question]:
    wish = Wish(target=target, start=start, nodes=nodes)
    if start is None and target.kind is not TargetKind.SERVICE:
        wish = replace(wish, start=Target(kind=TargetKind.OUTSIDE))
    try:
        found = expand(cluster, wish)
    except AskError as error:
        notes.append(f"{error} {error.remedy}".strip())
        return []
    told = [str(found.balancer)] if found.balancer is not None else []
    notes += [each for each in (*told, *found.notes) if each not in notes]
    return list(found.questions)


def _from_outside(questions: list[Question]) -> list[Question]:
    """Requests come from outside where there is a way; else from inside of the cluster."""
    return [each for each in questions if each.way in OUTSIDE] or questions


def onward(plan: Plan, cluster: Cluster) -> Connection:
    """From the proxies to the backends that the decision names."""
    notes: list[str] = []
    questions: list[Question] = []
    if plan.decision.result is Result.FORWARDED:
        for share in plan.decision.shares:
            questions += _to_backend(plan, share, cluster, notes)
    return Connection(title="from the proxy to the backend", expansion=_limited(questions, notes))


def _to_backend(plan: Plan, share: Share, cluster: Cluster, notes: list[str]) -> Iterator[Question]:
    service = service_of_backend(cluster, share.backend)
    port = port_of_backend(service, share.backend.port) if service is not None else None
    if service is None or port is None or share.status is not None:
        return
    if service.type == "ExternalName":
        notes.append(
            f"Service {service.full_name} is an ExternalName: the proxy connects to {service.external_name}, "
            "where not all proxies do."
        )
        return
    targets = list(_targets(plan, service, port, cluster))
    for start, target in product(_starts(plan, cluster), targets):
        question = _from(start, target, cluster)
        if question is not None:
            yield question


def _targets(plan: Plan, service: Service, port: ServicePort, cluster: Cluster) -> Iterator[Question]:
    """Where the proxy sends to; the start is filled in later."""
    plain = Question(
        way="Backend",
        subject=f"{service.full_name}:{port.name or port.port}",
        start=Start(kind=TargetKind.OUTSIDE, node=""),
        destination=SOMEBODY[4],
        protocol=PROTOCOL_NUMBERS[port.protocol.lower()],
        port=port.port,
    )
    if plan.settings.reach is Reach.CLUSTER_IP and not service.headless:
        for address in service.cluster_ips[:1]:
            expected = tuple(expected_endpoints(cluster, service, port, address.version))
            yield replace(plain, way="ClusterIP", destination=address, expected=expected)
        return
    if plan.settings.reach is Reach.NODE_PORT and port.node_port:
        for node in cluster.nodes:
            for address in node.addresses[:1]:
                expected = tuple(expected_endpoints(cluster, service, port, address.version))
                yield replace(
                    plain, way="NodePort", destination=address, port=port.node_port, expected=expected
                )
        return
    for each in _endpoints(cluster, service, port):
        yield replace(plain, destination=each.address, port=each.port, expected=(each,))


def _endpoints(cluster: Cluster, service: Service, port: ServicePort) -> Iterator[Expected]:
    """The ready endpoints, of the IP version that the Service has first."""
    versions = [address.version for address in service.cluster_ips] or [4, 6]
    for version in dict.fromkeys(versions):
        found = list(expected_endpoints(cluster, service, port, version))
        if found:
            yield from found
            return


def _starts(plan: Plan, cluster: Cluster) -> tuple[Start, ...]:
    """Each proxy that runs; somebody outside where the proxies are no pods."""
    if not plan.controller.in_cluster:
        return tuple(
            Start(
                kind=TargetKind.OUTSIDE,
                node=node.name,
                address=SOMEBODY[4],
                label=f"{plan.controller.product}, through {node.name}",
            )
            for node in cluster.nodes
        )
    running = [pod for pod in plan.entrance.pods if pod.phase == "Running" and pod.addresses and pod.node]
    return tuple(_start(pod) for pod in sorted(running, key=lambda pod: (not pod.ready, pod.full_name)))


def _start(pod: Pod) -> Start:
    if pod.host_network:
        return Start(kind=TargetKind.NODE, node=pod.node, label=f"proxy {pod.full_name} on {pod.node}")
    return Start(kind=TargetKind.POD, node=pod.node, pod=pod)


def _from(start: Start, target: Question, cluster: Cluster) -> Question | None:
    """The question from one proxy; none where it cannot be asked from there."""
    version = target.destination.version
    if start.pod is not None:
        return (
            replace(target, start=start) if any(a.version == version for a in start.pod.addresses) else None
        )
    if start.kind is TargetKind.NODE:
        return replace(target, start=start)
    through = target.expected[0].node if target.way == "Backend" and target.expected else ""
    if through and through != start.node:
        return None
    own = next((n for n in cluster.nodes if target.destination in n.addresses), None)
    if own is not None and own.name != start.node:
        return None
    node = cluster.node(start.node)
    arrives_at = node.address(version) if node is not None else None
    return replace(target, start=replace(start, address=SOMEBODY[version]), arrives_at=arrives_at)


def _limited(questions: Iterable[Question], notes: list[str]) -> Expansion:
    found = list(dict.fromkeys(questions))
    if len(found) > MOST_QUESTIONS:
        notes.append(f"{len(found)} connections are possible; {MOST_QUESTIONS} of them are followed.")
    return Expansion(questions=tuple(found[:MOST_QUESTIONS]), notes=tuple(dict.fromkeys(notes)))
