"""Every way in that a target offers: one question for each address, port and start.

A Service is reached by its ClusterIP from inside, by a port of each node, a load balancer's or an external
address from outside, or, headless, straight at its pods.

Kubernetes: https://kubernetes.io/docs/reference/networking/virtual-ips/
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

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
from kubectl_packetpath.cluster.clouds.base import Arrival, Balancer
from kubectl_packetpath.cluster.health import asked, says
from kubectl_packetpath.cluster.model import Cluster, Node, Pod, Service, ServicePort
from kubectl_packetpath.cluster.published import expected_endpoints, published_addresses
from kubectl_packetpath.cluster.question import Expansion, Expected, Question, Start, Wish
from kubectl_packetpath.cluster.starts import start_on
from kubectl_packetpath.packet import PROTOCOL_NUMBERS, TCP, Address

SOMEBODY = {4: ip_address("203.0.113.1"), 6: ip_address("2001:db8::1")}
"""Stand for any client outside: addresses that documentation may use and nobody has."""


@dataclass(slots=True, kw_only=True)
class _Maker:
    """Makes the questions of one wish."""

    cluster: Cluster
    wish: Wish
    notes: list[str] = field(default_factory=list)
    balancer: Balancer | None = None
    """The cloud's load balancer in front of the Service."""

    @property
    def is_outside(self) -> bool:
        """Whether packets from outside are asked about."""
        return self.wish.start is None or self.wish.start.kind is TargetKind.OUTSIDE

    def entries(self) -> tuple[Node, ...]:
        """The nodes at which packets may come in."""
        if self.wish.nodes:
            return tuple(find_node(self.cluster, name) for name in self.wish.nodes)
        return self.cluster.nodes

    def inside(self, service: Service | None, version: int) -> Iterator[Start]:
        """Starts inside of the cluster that can speak this IP version."""
        given = self.wish.start
        if given is None:
            for node in self.entries():
                start = start_on(self.cluster, node, service, version)
                if start is not None:
                    yield start
        elif given.kind is TargetKind.POD:
            pod = find_pod(self.cluster, given)
            if pod.host_network:
                self.note(f"Pod {pod.full_name} uses the network of its node: asked as node/{pod.node}.")
                yield Start(kind=TargetKind.NODE, node=pod.node)
            elif any(address.version == version for address in pod.addresses):
                yield Start(kind=TargetKind.POD, node=pod.node, pod=pod)
        elif given.kind is TargetKind.NODE:
            node = find_node(self.cluster, given.name)
            if node.address(version) is not None:
                yield Start(kind=TargetKind.NODE, node=node.name)

    def outside(self, version: int) -> Iterator[tuple[Start, Address]]:
        """Starts outside, each with the address of the node by which it comes."""
        given = self.wish.start
        if given is not None and given.kind is not TargetKind.OUTSIDE:
            return
        client = given.address if given is not None and given.address is not None else SOMEBODY[version]
        if client.version != version:
            return
        for node in self.entries():
            arrives_at = node.address(version)
            if arrives_at is not None:
                yield Start(kind=TargetKind.OUTSIDE, node=node.name, address=client), arrives_at

    def enter_at(self, node: Node) -> None:
        """What comes from outside to a node's own address comes in there, unless the user names other nodes."""
        given = self.wish.start
        if given is not None and given.kind is TargetKind.OUTSIDE and not self.wish.nodes:
            self.wish = replace(self.wish, nodes=(node.name,))

    def note(self, text: str) -> None:
        """Say something once."""
        if text not in self.notes:
            self.notes.append(text)

    def from_everywhere(self, question: Question, service: Service | None = None) -> Iterator[Question]:
        """The same destination from all starts inside, or from outside where that was asked for."""
        version = question.destination.version
        given = self.wish.start
        if given is not None and given.kind is TargetKind.OUTSIDE:
            for start, arrives_at in self.outside(version):
                yield replace(question, start=start, arrives_at=arrives_at)
            return
        for start in self.inside(service, version):
            yield replace(question, start=start, doubt="")


def expand(cluster: Cluster, wish: Wish) -> Expansion:
    """All questions that a wish stands for."""
    maker = _Maker(cluster=cluster, wish=wish)
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


def _service_questions(maker: _Maker, service: Service) -> Iterator[Question]:
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


def _health_checks(maker: _Maker, service: Service) -> Iterator[Question]:
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


def _cluster_ips(maker: _Maker, service: Service, port: ServicePort) -> Iterator[Question]:
    if maker.wish.start is not None and maker.wish.start.kind is TargetKind.OUTSIDE:
        return
    for address in service.cluster_ips:
        question = _of_service(service, port, maker.cluster, "ClusterIP", address)
        yield from maker.from_everywhere(question, service)


def _headless(maker: _Maker, service: Service, port: ServicePort) -> Iterator[Question]:
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


def _from_outside(maker: _Maker, service: Service, port: ServicePort) -> Iterator[Question]:
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


def _at_targets(maker: _Maker, service: Service, port: ServicePort) -> Iterator[Question]:
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
    maker: _Maker, starts: tuple[tuple[Start, Address], ...], by: Announced, address: Address
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


def _published(maker: _Maker, service: Service) -> Iterator[tuple[str, Address]]:
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


def _pod_questions(maker: _Maker, pod: Pod) -> Iterator[Question]:
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


def _node_questions(maker: _Maker, node: Node) -> Iterator[Question]:
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


def _address_questions(maker: _Maker) -> Iterator[Question]:
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
