"""What a load balancer is told that asks a node about a Service."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from builders import cluster, service, slices

from kubectl_packetpath.cluster.ask import Target, TargetKind
from kubectl_packetpath.cluster.health import EXCLUDED, says
from kubectl_packetpath.cluster.model import Cluster
from kubectl_packetpath.cluster.question import Question, Wish
from kubectl_packetpath.cluster.ways import expand

PORT = 32123


def world() -> Cluster:
    """A load-balanced Service of which node3's endpoint is not ready."""
    local = service(type="LoadBalancer", external_traffic_policy="Local", health_check_port=PORT)
    return replace(cluster(local), slices=(slices((True, True, False)),))


def of_node(name: str, port: int) -> Question:
    """The question for a port of a node, from outside."""
    target = Target(kind=TargetKind.NODE, name=name, port=str(port))
    start = Target(kind=TargetKind.OUTSIDE, address=ip_address("203.0.113.9"))
    return expand(world(), Wish(target=target, start=start, nodes=(name,))).questions[0]


def test_a_way_for_each_node() -> None:
    """Beside the ways of the Service itself."""
    wish = Wish(target=Target(kind=TargetKind.SERVICE, namespace="default", name="web"))
    ways = [each for each in expand(world(), wish).questions if each.way == "HealthCheck"]
    assert [(each.start.node, each.port, each.says[:3]) for each in ways] == [
        ("node1", PORT, "200"),
        ("node2", PORT, "200"),
        ("node3", PORT, "503"),
    ]


@pytest.mark.parametrize(("node", "code"), [("node1", "200"), ("node3", "503")])
def test_its_port_is_recognised(node: str, code: str) -> None:
    """Where somebody asks for a node's port by number."""
    question = of_node(node, PORT)
    assert (question.way, question.subject, question.says[:3]) == ("HealthCheck", "default/web", code)


def test_the_port_of_the_proxy() -> None:
    """It is no Service's."""
    question = of_node("node1", 10256)
    assert (question.way, "kube-proxy" in question.says) == ("Node", True)
    assert of_node("node1", 22).says == ""


def test_a_node_that_is_kept_out() -> None:
    """By the label that load balancers heed."""
    given = world()
    nodes = tuple(replace(each, labels=((EXCLUDED, ""),)) for each in given.nodes)
    told = says(replace(given, nodes=nodes), given.services[0], "node1", 4)
    assert told.endswith("its label keeps the node out of load balancers")
