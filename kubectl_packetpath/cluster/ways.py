"""Every way in that a target offers: one question for each address, port and start.

A Service is reached by its ClusterIP from inside, by a port of each node, a load balancer's or an external
address from outside, or, headless, straight at its pods.

Kubernetes: https://kubernetes.io/docs/reference/networking/virtual-ips/
"""

from collections.abc import Iterator
from dataclasses import replace

from kubectl_packetpath.cluster.announcing import Announced, announced
from kubectl_packetpath.cluster.ask import (
    AskError,
    TargetKind,
    find_node,
    find_pod,
    find_service,
    pod_port,
    service_ports,
)
from kubectl_packetpath.cluster.clouds import balancer_of, doubt_outside
from kubectl_packetpath.cluster.clouds.base import Arrival
from kubectl_packetpath.cluster.health import asked, says
from kubectl_packetpath.cluster.maker import Maker
from kubectl_packetpath.cluster.model import Cluster, Node, Pod, Service, ServicePort
from kubectl_packetpath.cluster.published import expected_endpoints, published_addresses
from kubectl_packetpath.cluster.question import Expansion, Expected, Question, Start, Wish
from kubectl_packetpath.packet import PROTOCOL_NUMBERS, TCP, Address


def expand(cluster: Cluster, wish: Wish) -> Expansion:
    """All questions that a wish stands for."""
    maker = Maker(cluster=cluster, wish=wish)
    service = None
    match wish.target.kind:
        case TargetKind.SERVICE:
            service = find_service(cluster, wish.target)
            questions = tuple(_service_questions(maker, service))
        case TargetKind.POD:
            questions = tuple(_pod_questions(maker, find_pod(cluster, wish.target)))
        case TargetKind.NODE:
            questions = tuple(_node_questions(maker, find_node(cluster, wish.target.name)))
        case _:
            questions = tuple(_address_questions(maker))
    if not questions and not maker.notes:
        start = wish.start or "anywhere"
        raise AskError(f"There is no way from {start} to {wish.target}.", _why_no_way(service))
    sized = tuple(replace(question, size_bytes=wish.size_bytes) for question in questions)
    balancer = maker.balancer
    if balancer is not None and not maker.is_outside:
        balancer = None
    return Expansion(
        questions=sized,
        notes=tuple(maker.notes),
        service=service,
        balancer=balancer,
        with_budget=wish.with_budget,
    )


def _why_no_way(service: Service | None) -> str:
    if service is None:
        return "Source and destination need an IP version in common."
    families = ", ".join(f"IPv{v}" for v in sorted({a.version for a in service.cluster_ips})) or "no address"
    return f"Service {service.full_name} is of type {service.type} with {families}."


def _service_questions(maker: Maker, service: Service) -> Iterator[Question]:
    if service.type == "ExternalName":
        maker.note(
            f"Service {service.full_name} is an ExternalName: the cluster's DNS answers with the name "
            f"{service.external_name}, and no packet is sent to the Service itself."
        )
        return
    maker.balancer = balancer_of(maker.cluster, service)
    ports = service_ports(service, maker.wish.target, maker.wish.protocol)
    if not ports:
        maker.note(f"Service {service.full_name} has no ports.")
    for port in ports:
        if service.headless:
            yield from _headless(maker, service, port)
        else:
            yield from _cluster_ips(maker, service, port)
            yield from _from_outside(maker, service, port)
        yield from _at_targets(maker, service, port)
    yield from _health_checks(maker, service)


def _health_checks(maker: Maker, service: Service) -> Iterator[Question]:
    """A load balancer asks every node whether it has endpoints of its own."""
    if service.health_check_port is None:
        return
    for version in sorted({address.version for address in service.cluster_ips}):
        for start, arrives_at in maker.outside(version):
            yield _health_check(maker.cluster, service, start, arrives_at)


def _health_check(cluster: Cluster, service: Service, start: Start, address: Address) -> Question:
    question = _plain("HealthCheck", address, service.health_check_port or 0, "tcp")
    told = says(cluster, service, start.node, address.version)
    return replace(question, subject=service.full_name, start=start, says=told)


def _of_service(
    service: Service, port: ServicePort, cluster: Cluster, way: str, address: Address
) -> Question:
    return Question(
        way=way,
        subject=f"{service.full_name}:{port.name or port.port}",
        start=Start(kind=TargetKind.OUTSIDE, node=""),
        destination=address,
        protocol=PROTOCOL_NUMBERS[port.protocol.lower()],
        port=port.port,
        expected=tuple(expected_endpoints(cluster, service, port, address.version)),
    )


def _cluster_ips(maker: Maker, service: Service, port: ServicePort) -> Iterator[Question]:
    if maker.wish.start is not None and maker.wish.start.kind is TargetKind.OUTSIDE:
        return
    for address in service.cluster_ips:
        question = _of_service(service, port, maker.cluster, "ClusterIP", address)
        yield from maker.from_everywhere(question, service)


def _headless(maker: Maker, service: Service, port: ServicePort) -> Iterator[Question]:
    found = False
    for version in (4, 6):
        for each in expected_endpoints(maker.cluster, service, port, version):
            found = True
            question = _of_service(service, port, maker.cluster, "Headless", each.address)
            question = replace(question, port=each.port, expected=(each,))
            yield from maker.from_everywhere(question, service)
    if not found:
        maker.note(
            f"Service {service.full_name} is headless and port {port.title} has no ready endpoint: "
            "DNS answers with no address."
        )


def _from_outside(maker: Maker, service: Service, port: ServicePort) -> Iterator[Question]:
    versions = sorted({address.version for address in service.cluster_ips})
    if port.node_port:
        for version in versions:
            for start, arrives_at in maker.outside(version):
                question = _of_service(service, port, maker.cluster, "NodePort", arrives_at)
                yield replace(question, start=start, port=port.node_port)
    by = announced(maker.cluster, service)
    doubt = maker.balancer.doubt if maker.balancer is not None else ""
    for way, address in _published(maker, service):
        question = _of_service(service, port, maker.cluster, way, address)
        starts = tuple(maker.outside(address.version))
        if way == "LoadBalancer":
            question = replace(question, doubt=doubt)
            starts = _where_announced(maker, starts, by, address)
            if by.by_nobody and starts:
                yield replace(question, start=replace(starts[0][0], node=""), nowhere=by.words)
                continue
        for start, arrives_at in starts:
            yield replace(question, start=start, arrives_at=arrives_at)


def _at_targets(maker: Maker, service: Service, port: ServicePort) -> Iterator[Question]:
    """A balancer that sends straight at pods: each comes in at the pod's own node."""
    balancer = maker.balancer
    if balancer is None or balancer.arrival is not Arrival.POD or not maker.is_outside:
        return
    if balancer.ports and not {str(port.port), port.name} & {*balancer.ports}:
        return
    found = False
    for version in (4, 6):
        for each in expected_endpoints(maker.cluster, service, port, version):
            found = True
            question = _of_service(service, port, maker.cluster, "Target", each.address)
            question = replace(question, port=each.port, expected=(each,), doubt=balancer.doubt)
            for start, arrives_at in maker.outside(version):
                if start.node == each.node:
                    yield replace(question, start=start, arrives_at=arrives_at)
    if not found:
        maker.note(f"No endpoint of port {port.title} is ready: {balancer.provider} has no target for it.")


def _where_announced(
    maker: Maker, starts: tuple[tuple[Start, Address], ...], by: Announced, address: Address
) -> tuple[tuple[Start, Address], ...]:
    """Only the nodes to which the address leads, unless the user names others; what is known of it is said."""
    if not starts or not by.words or by.by_nobody:
        return starts
    held = tuple(each for each in starts if by.nodes is not None and each[0].node in by.nodes)
    rest = ""
    if maker.wish.nodes or not held:
        held = starts
    elif len(held) < len(starts):
        rest = "; ways by other nodes are not asked (--node asks them)"
    maker.note(f"{address}: {by.words}{rest}. Whether the network outside has heard it is not seen here.")
    return held


def _published(maker: Maker, service: Service) -> Iterator[tuple[str, Address]]:
    known = maker.balancer is not None and maker.balancer.arrival in {Arrival.NODE_PORT, Arrival.POD}
    for each in service.balancer:
        if known:
            continue  # its packets come in otherwise, and are asked about as such
        if each.address is not None and each.mode == "VIP":
            yield "LoadBalancer", each.address
        else:
            name = each.address or each.hostname
            maker.note(
                f"The load balancer {name} changes the destination itself (ipMode {each.mode}) and sends "
                "to the node ports, or it is known by name only: what it does is not seen here."
            )
    if service.type == "LoadBalancer" and not service.balancer:
        maker.note(f"Service {service.full_name} waits for a load balancer: its status has no address.")
    for address in service.external_ips:
        yield "ExternalIP", address


def _pod_questions(maker: Maker, pod: Pod) -> Iterator[Question]:
    port, protocol = pod_port(pod, maker.wish.target, maker.wish.protocol)
    for address in pod.addresses:
        expected = Expected(address=address, port=port, pod=pod.name, node=pod.node)
        yield from maker.from_everywhere(
            Question(
                way="Pod",
                subject=f"{pod.full_name}:{port}",
                start=Start(kind=TargetKind.OUTSIDE, node=""),
                destination=address,
                protocol=PROTOCOL_NUMBERS[protocol.lower()],
                port=port,
                expected=(expected,),
            )
        )


def _node_questions(maker: Maker, node: Node) -> Iterator[Question]:
    port = maker.wish.target.port
    if not port.isdigit():
        raise AskError(f"A node's port is a number, not {port}.", f"kubectl packetpath node/{node.name}:22")
    versions = dict.fromkeys(address.version for address in node.addresses)
    maker.enter_at(node)
    for version in versions:
        if (address := node.address(version)) is not None:
            question = _plain("Node", address, int(port), maker.wish.protocol)
            yield from maker.from_everywhere(_answered_by_proxy(maker.cluster, node, question))


def _answered_by_proxy(cluster: Cluster, node: Node, question: Question) -> Question:
    """A port on which kube-proxy tells load balancers of its health, or of a Service's."""
    if question.protocol != TCP:
        return question
    service, told = asked(cluster, question.port, node.name, question.destination.version)
    if service is None:
        return replace(question, says=told)
    return replace(question, way="HealthCheck", subject=service.full_name, says=told)


def _address_questions(maker: Maker) -> Iterator[Question]:
    target = maker.wish.target
    if target.address is None:
        return
    question = _plain("Address", target.address, int(target.port), maker.wish.protocol)
    question = _recognised(maker.cluster, question)
    own = maker.cluster.node_with(target.address)
    if own is not None:
        maker.enter_at(own)
    yield from maker.from_everywhere(question)


def _plain(way: str, address: Address, port: int, protocol: str) -> Question:
    return Question(
        way=way,
        start=Start(kind=TargetKind.OUTSIDE, node=""),
        destination=address,
        protocol=PROTOCOL_NUMBERS[protocol.lower() or "tcp"],
        port=port,
    )


def _recognised(cluster: Cluster, question: Question) -> Question:
    """A bare address may be one of a Service."""
    for service in cluster.services:
        for port in service.ports:
            if PROTOCOL_NUMBERS.get(port.protocol.lower()) != question.protocol:
                continue
            ways = dict(published_addresses(cluster, service, port))
            way = ways.get((question.destination, question.port))
            if way is not None:
                named = _of_service(service, port, cluster, way, question.destination)
                doubt = doubt_outside(cluster, service) if way == "LoadBalancer" else ""
                return replace(named, port=question.port, doubt=doubt)
    return question
