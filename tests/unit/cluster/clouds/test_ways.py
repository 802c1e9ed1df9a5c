"""The ways in that a cloud's load balancer opens, and how much of a verdict they can have."""

from dataclasses import replace
from ipaddress import ip_address

from builders import answered, cluster, delivered, node, service, slices, web_pod

from kubectl_packetpath.cluster.ask import Target, TargetKind
from kubectl_packetpath.cluster.model import BalancerAddress, Cluster, Service, ServicePort
from kubectl_packetpath.cluster.question import Expansion, Wish
from kubectl_packetpath.cluster.ways import expand

WEB = Target(kind=TargetKind.SERVICE, namespace="default", name="web")
OUTSIDE = Target(kind=TargetKind.OUTSIDE)
VIP = BalancerAddress(address=ip_address("203.0.113.80"))
AWS = "service.beta.kubernetes.io/aws-load-balancer"


def asked(*annotations: tuple[str, str], provider_id: str = "", **given: object) -> Expansion:
    """The ways from outside to a Service with these annotations."""
    port = ServicePort(name="http", port=80, node_port=30080, target_port="http")
    changes = {"type": "LoadBalancer", "ports": (port,), "balancer": (VIP,), "annotations": annotations}
    world = cluster(service(**changes | given))
    nodes = tuple(replace(each, provider_id=provider_id) for each in world.nodes)
    return expand(replace(world, nodes=nodes), Wish(target=WEB, start=OUTSIDE))


def ways(found: Expansion) -> list[tuple[str, str, str]]:
    """Way, destination and node of each question but those of node ports."""
    return [
        (each.way, str(each.destination), each.start.node)
        for each in found.questions
        if each.way != "NodePort"
    ]


def test_ip_targets_are_asked_straight_at_the_pods() -> None:
    """Each at its own node and port; the balancer's own address is on no node."""
    found = asked((f"{AWS}-type", "external"), (f"{AWS}-nlb-target-type", "ip"))

    assert ways(found) == [("Target", f"10.244.{n}.3", f"node{n}") for n in (1, 2, 3)]
    assert {each.port for each in found.questions if each.way == "Target"} == {8080}
    assert {each.doubt for each in found.questions} == {""}


def test_instance_targets_come_in_by_the_node_ports() -> None:
    """And by nothing else, whatever address stands in the status."""
    found = asked((f"{AWS}-type", "external"), (f"{AWS}-nlb-target-type", "instance"))

    assert ways(found) == []
    assert {(each.way, each.port) for each in found.questions} == {("NodePort", 30080)}


def test_what_is_assumed_of_a_provider_gives_no_verdict() -> None:
    """Azure's floating IP is only its default: the way is walked, and whatever comes of it is not certain."""
    found = asked(provider_id="azure:///subscriptions/s")
    question = next(each for each in found.questions if each.way == "LoadBalancer")
    way = answered(question, delivered(question, 1))

    assert ways(found) == [("LoadBalancer", "203.0.113.80", f"node{n}") for n in (1, 2, 3)]
    assert question.doubt.startswith("assumed, not seen: Azure Load Balancer: ")
    assert (way.family, str(way.verdict)) == ("unknown", "UNKNOWN")


def test_without_a_cloud_nothing_changes() -> None:
    """An address of a network that nobody here knows is asked at every node, as ever."""
    found = asked()

    assert found.balancer is None
    assert {each.doubt for each in found.questions} == {""}
    assert len(ways(found)) == 3


def test_inside_the_cluster_the_balancer_has_no_part() -> None:
    """Its packets come from outside."""
    port = ServicePort(name="http", port=80, node_port=30080, target_port="http")
    annotation = ((f"{AWS}-type", "nlb-ip"),)
    world = cluster(service(type="LoadBalancer", ports=(port,), balancer=(VIP,), annotations=annotation))
    start = Target(kind=TargetKind.POD, namespace="default", name="client-1")

    found = expand(world, Wish(target=WEB, start=start))

    assert found.balancer is None
    assert {each.way for each in found.questions} == {"ClusterIP"}


def test_only_the_ports_of_a_group_are_its_targets() -> None:
    """Google's annotation names them."""
    ports = (
        ServicePort(name="http", port=80, target_port="http"),
        ServicePort(name="admin", port=81, target_port="http"),
    )
    status = ("cloud.google.com/neg-status", '{"network_endpoint_groups":{"81":"k8s1-x"},"zones":["a"]}')

    found = asked(status, type="ClusterIP", ports=ports, balancer=())

    assert "Target" not in {each.way for each in found.questions}
    assert any("No endpoint of port admin" in note for note in found.notes)


def test_a_balancer_without_targets_is_said_to_have_none() -> None:
    """No endpoint is ready."""
    port = ServicePort(name="http", port=80, node_port=30080, target_port="http")
    own = service(type="LoadBalancer", ports=(port,), annotations=((f"{AWS}-type", "nlb-ip"),))
    world = Cluster(services=(own,), slices=(slices((False,) * 3),), pods=(web_pod(1),), nodes=(node(1),))

    found = expand(world, Wish(target=WEB, start=OUTSIDE))

    assert isinstance(found.service, Service)
    assert (
        "No endpoint of port http (80/TCP) is ready: AWS Network Load Balancer has no target for it."
        in found.notes
    )


def test_the_balancers_address_alone_is_no_way_in_where_it_proxies() -> None:
    """Asked for as an address from outside it is not certain; from inside the nodes translate it themselves."""
    port = ServicePort(name="http", port=80, node_port=30080, target_port="http")
    annotation = ((f"{AWS}-type", "external"), (f"{AWS}-nlb-target-type", "instance"))
    world = cluster(service(type="LoadBalancer", ports=(port,), balancer=(VIP,), annotations=annotation))
    target = Target(kind=TargetKind.ADDRESS, address=VIP.address, port="80")

    outside = expand(world, Wish(target=target, start=OUTSIDE)).questions
    inside = expand(world, Wish(target=target)).questions

    assert {each.doubt.partition(":")[0] for each in outside} == {
        "no packet of the balancer's comes to a node with its own address"
    }
    assert {(each.way, each.doubt) for each in inside} == {("LoadBalancer", "")}
