"""Every way in that a target offers."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from builders import cluster, service, slices

from kubectl_packetpath.cluster.ask import AskError, Target, TargetKind, parse_start, parse_target
from kubectl_packetpath.cluster.model import BalancerAddress, Cluster, ServicePort
from kubectl_packetpath.cluster.question import Expansion, Wish
from kubectl_packetpath.cluster.ways import expand

WEB = Target(kind=TargetKind.SERVICE, namespace="default", name="web")


def ways(world: Cluster, start: str = "", target: Target = WEB, nodes: tuple[str, ...] = ()) -> Expansion:
    """The expansion of a wish."""
    given = parse_start(start, "default") if start else None
    return expand(world, Wish(target=target, start=given, nodes=nodes))


def test_a_cluster_ip_is_asked_from_one_client_of_each_node() -> None:
    """A pod that is not behind the Service speaks for its node, since a hairpin is another story."""
    found = ways(cluster()).questions

    assert [q.start.pod.full_name for q in found if q.start.pod] == [
        "default/client-1",
        "default/client-2",
        "default/client-3",
    ]
    assert {q.target for q in found} == {"ClusterIP 10.96.0.9:80/tcp"}


def test_a_node_without_pods_asks_itself() -> None:
    """Its own programs use Services too."""
    world = cluster()
    world = replace(world, pods=tuple(p for p in world.pods if p.node != "node3"))

    found = ways(world).questions

    assert found[2].start.title == "node node3"


def test_all_published_addresses_are_asked_from_outside() -> None:
    """Node ports, load balancer and external addresses, by way of each node."""
    port = ServicePort(name="http", port=80, node_port=30080, target_port="http")
    world = cluster(
        service(
            type="LoadBalancer",
            ports=(port,),
            external_ips=(ip_address("192.0.2.80"),),
            balancer=(BalancerAddress(address=ip_address("192.0.2.90")),),
        )
    )

    found = [q for q in ways(world).questions if q.start.kind is TargetKind.OUTSIDE]

    assert list(dict.fromkeys((q.way, q.port) for q in found)) == [
        ("NodePort", 30080),
        ("LoadBalancer", 80),
        ("ExternalIP", 80),
    ]
    assert {q.start.node for q in found} == {"node1", "node2", "node3"}
    assert all(q.arrives_at is not None for q in found if q.way != "NodePort")


def test_a_balancer_that_proxies_is_said_not_to_be_seen() -> None:
    """Its packets do not carry its address when they come to a node."""
    world = cluster(
        service(
            type="LoadBalancer", balancer=(BalancerAddress(address=ip_address("192.0.2.90"), mode="Proxy"),)
        )
    )

    found = ways(world)

    assert "192.0.2.90" in found.notes[0]
    assert "LoadBalancer" not in {q.way for q in found.questions}


def test_a_headless_service_is_its_pods() -> None:
    """One question for each ready endpoint, at the port of the slice."""
    world = replace(cluster(service(headless=True, cluster_ips=())), slices=(slices((True, False, True)),))

    found = ways(world, start="pod/client-1").questions

    assert [str(q.destination) for q in found] == ["10.244.1.3", "10.244.3.3"]
    assert {q.port for q in found} == {8080}


def test_an_external_name_has_no_way_in_and_says_so() -> None:
    """DNS answers with another name; there is no packet to follow."""
    found = ways(
        cluster(service(type="ExternalName", external_name="db.example.com", cluster_ips=(), ports=()))
    )

    assert found.questions == ()
    assert "db.example.com" in found.notes[0]


def test_a_cluster_ip_cannot_be_asked_from_outside() -> None:
    """The refusal says what type the Service has."""
    with pytest.raises(AskError) as refusal:
        ways(cluster(), start="outside")

    assert "ClusterIP" in refusal.value.remedy


def test_expected_endpoints_are_the_ready_ones() -> None:
    """By the word of the EndpointSlices."""
    world = replace(cluster(), slices=(slices((True, False, True)),))

    found = ways(world).questions[0].expected

    assert [(e.pod, e.port) for e in found] == [("web-1", 8080), ("web-3", 8080)]


def test_a_bare_address_is_recognised_as_a_service() -> None:
    """The answer can then be told in the Service's name."""
    found = ways(cluster(), target=parse_target("10.96.0.9:80", "default"), start="pod/client-1").questions

    assert [q.subject for q in found] == ["default/web:http"]


def test_a_node_port_from_outside_goes_to_that_node_alone() -> None:
    """A node's address names the node by which the packet comes in."""
    port = ServicePort(name="http", port=80, node_port=30080)
    target = parse_target("172.30.1.12:30080", "default")

    found = ways(cluster(service(ports=(port,))), target=target, start="outside").questions

    assert [(q.way, q.start.node) for q in found] == [("NodePort", "node2")]


def test_node_picks_the_entry() -> None:
    """`--node` narrows from where it is asked."""
    assert [q.start.node for q in ways(cluster(), nodes=("node2",)).questions] == ["node2"]


def test_an_unknown_node_is_refused() -> None:
    """With the nodes that there are."""
    with pytest.raises(AskError) as refusal:
        ways(cluster(), nodes=("node9",))

    assert "node1" in refusal.value.remedy
