"""Clusters and answers made by hand, for tests of what asks and what renders."""

from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.ask import Target, TargetKind
from kubectl_packetpath.cluster.model import (
    Cluster,
    ContainerPort,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Node,
    Pod,
    Service,
    ServicePort,
)
from kubectl_packetpath.cluster.question import Question, Wish
from kubectl_packetpath.cluster.ways import expand
from kubectl_packetpath.packet import TCP, Packet
from kubectl_packetpath.trace import Ending, Fact, Hop, Path, Step, StepKind, Trace, Verdict

NODES = ("node1", "node2", "node3")
SERVICE_IP = ip_address("10.96.0.9")
DNAT_RULE = (
    '-A KUBE-SEP-AAAAAAAAAAAAAAAA -p tcp -m comment --comment "default/web:http" '
    "-m tcp -j DNAT --to-destination {}"
)


def web_pod(number: int, namespace: str = "default") -> Pod:
    """The server on node N."""
    return Pod(
        namespace=namespace,
        name=f"web-{number}",
        uid=f"web-uid-{number}",
        node=f"node{number}",
        addresses=(ip_address(f"10.244.{number}.3"),),
        ports=(ContainerPort(name="http", port=8080),),
    )


def client_pod(number: int, namespace: str = "default") -> Pod:
    """The client on node N."""
    return Pod(
        namespace=namespace,
        name=f"client-{number}",
        node=f"node{number}",
        addresses=(ip_address(f"10.244.{number}.2"),),
    )


def node(number: int) -> Node:
    """Node N."""
    return Node(name=f"node{number}", addresses=(ip_address(f"172.30.1.1{number}"),))


def service(**changes: object) -> Service:
    """A Service `default/web` with one port."""
    plain = Service(
        namespace="default",
        name="web",
        cluster_ips=(SERVICE_IP,),
        ports=(ServicePort(name="http", port=80, target_port="http"),),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def slices(ready: tuple[bool, ...] = (True, True, True)) -> EndpointSlice:
    """Its endpoints, one on each node."""
    return EndpointSlice(
        namespace="default",
        name="web-abcde",
        service="web",
        ports=(EndpointPort(name="http", port=8080),),
        endpoints=tuple(
            Endpoint(addresses=web_pod(n).addresses, ready=is_ready, node=f"node{n}", pod=f"web-{n}")
            for n, is_ready in enumerate(ready, 1)
        ),
    )


def cluster(*services: Service) -> Cluster:
    """Three nodes, each with a client and a server."""
    return Cluster(
        context="test",
        services=services or (service(),),
        slices=(slices(),),
        pods=tuple(pod(n) for n in (1, 2, 3) for pod in (client_pod, web_pod)),
        nodes=tuple(node(n) for n in (1, 2, 3)),
    )


def questions(found: Cluster, name: str = "web") -> tuple[Question, ...]:
    """Every way in to a Service of it."""
    target = Target(kind=TargetKind.SERVICE, namespace="default", name=name)
    return expand(found, Wish(target=target)).questions


def packet_of(question: Question) -> Packet:
    """What the client sends."""
    source = question.start.pod.addresses[0] if question.start.pod else question.start.address
    return Packet(
        source=source or ip_address("172.30.1.11"),
        destination=question.destination,
        protocol=TCP,
        sport=40000,
        sport_chosen=True,
        dport=question.port,
    )


def rewrite(before: Packet, after: Packet) -> Step:
    """kube-proxy's choice."""
    rule = DNAT_RULE.format(f"{after.destination}:{after.dport}")
    fact = Fact(
        section="iptables-nft", key="node1 nat/KUBE-SEP-AAAAAAAAAAAAAAAA/2", text=rule, packets=7, bytes=420
    )
    text = f"destination {before.destination} becomes {after.destination}"
    return Step(kind=StepKind.REWROTE, text=text, because=(fact,), before=before, after=after)


def step(kind: StepKind, text: str, *facts: Fact) -> Step:
    """Something that changes nothing."""
    return Step(kind=kind, text=text, because=facts)


def delivered(question: Question, number: int, weight: Fraction | None = Fraction(1, 3)) -> Path:
    """The way to the server on node N, where it is taken."""
    sent = packet_of(question)
    hops, packet = _as_far_as_pod(question, sent, number)
    reason = "delivered to the socket on [::]:8080"
    last = Hop(
        node=f"node{number}", namespace=f"default/web-{number}", steps=(step(StepKind.DELIVERED, reason),)
    )
    ending = Ending(verdict=Verdict.DELIVERED, reason=reason)
    return Path(weight=weight, hops=(*hops, last), packet=packet, ending=ending)


def without_route(question: Question, number: int, weight: Fraction | None = Fraction(1, 3)) -> Path:
    """Lost on the first node, since the route to node N's pods is missing."""
    sent = packet_of(question)
    hops, packet = _as_far_as_pod(question, sent, number)
    reason = f"no route to {packet.destination}"
    fact = Fact(section="route", key="node1 table main", text="default via 172.30.1.1 dev eth0")
    lost = replace(hops[1], steps=(*hops[1].steps[:1], step(StepKind.LOST, reason, fact)))
    ending = Ending(verdict=Verdict.NO_ROUTE, reason=reason, remedy=f"ip route get {packet.destination}")
    return Path(weight=weight, hops=(hops[0], lost), packet=packet, ending=ending)


def unknown(question: Question, place: str = 'node1 nat/CHAIN/7: match "bpf" is not modelled') -> Path:
    """Nobody knows."""
    sent = packet_of(question)
    hop = Hop(node=question.start.node, namespace="host", steps=(step(StepKind.ASSUMED, place),))
    return Path(weight=None, hops=(hop,), packet=sent, ending=Ending(verdict=Verdict.UNKNOWN, reason=place))


def _as_far_as_pod(question: Question, sent: Packet, number: int) -> tuple[tuple[Hop, ...], Packet]:
    home, there = question.start.node, f"node{number}"
    changed = replace(sent, destination=web_pod(number).addresses[0], dport=8080)
    pod = question.start.pod
    first = Hop(
        node=home,
        namespace=pod.full_name if pod else "host",
        steps=(
            Step(kind=StepKind.ORIGINATED, text=f"a socket sends {sent}"),
            step(StepKind.ROUTED, "out by eth0 via 10.244.1.1"),
            step(StepKind.SENT, "leaves by eth0"),
        ),
    )
    device = "cni0" if home == there else f"eth0 via 172.30.1.1{number}"
    second = Hop(
        node=home,
        namespace="host",
        steps=(
            rewrite(sent, changed),
            step(StepKind.ROUTED, f"onward by {device}"),
            step(StepKind.SENT, f"leaves by {device}"),
        ),
    )
    hops = [first, second]
    if home != there:
        steps = (step(StepKind.ROUTED, "onward by cni0"), step(StepKind.SENT, "leaves by cni0"))
        hops.append(Hop(node=there, namespace="host", steps=steps))
    return tuple(hops), changed


def answered(question: Question, *paths: Path) -> Answered:
    """A question with its trace."""
    trace = Trace(title=question.title, node=question.start.node, packet=packet_of(question), paths=paths)
    return Answered(question=question, trace=trace)


def healthy(found: Cluster | None = None) -> Answer:
    """Every ClusterIP question reaches every server."""
    world = found or cluster()
    ways = (answered(q, *(delivered(q, n) for n in (1, 2, 3))) for q in questions(world))
    return Answer(target="svc/web", ways=tuple(ways), cluster=world, service=world.services[0])


def broken(found: Cluster | None = None) -> Answer:
    """From node1, the third that goes to node3 is lost."""
    world = found or cluster()
    first, *others = questions(world)
    lost = answered(first, delivered(first, 1), delivered(first, 2), without_route(first, 3))
    ways = (lost, *(answered(q, *(delivered(q, n) for n in (1, 2, 3))) for q in others))
    return Answer(target="svc/web", ways=ways, cluster=world, service=world.services[0])
