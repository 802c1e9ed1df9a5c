"""How a way in counts."""

from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address, ip_network

import pytest
from builders import answered, cluster, delivered, questions

from kubectl_packetpath.cluster.model import Cluster, Endpoint
from kubectl_packetpath.findings.sight import losses
from kubectl_packetpath.trace import Ending, Verdict


def led_to(address: str) -> Cluster:
    """Its Service has one endpoint, written by hand: an address, and nothing of a pod or node."""
    given = cluster()
    nodes = tuple(replace(n, pod_networks=(ip_network(f"10.244.{n.name[-1]}.0/24"),)) for n in given.nodes)
    endpoint = Endpoint(addresses=(ip_address(address),))
    return replace(given, nodes=nodes, slices=(replace(given.slices[0], endpoints=(endpoint,)),))


@pytest.mark.parametrize(
    ("endpoint", "left_for", "family"),
    [
        ("192.0.2.77", "192.0.2.77", "arrived"),
        ("192.0.2.77", "192.0.2.78", "lost"),
        ("192.0.2.77", "10.96.0.9", "lost"),
        ("10.244.2.3", "10.244.2.3", "lost"),
        ("10.244.2.99", "10.244.2.99", "lost"),
        ("172.30.1.12", "172.30.1.12", "lost"),
    ],
)
def test_only_an_endpoint_outside_is_a_good_end_outside(endpoint: str, left_for: str, family: str) -> None:
    """A database beside the cluster has no pod; a packet to a pod or node that leaves has lost its way."""
    world = led_to(endpoint)
    question = questions(world)[0]
    path = delivered(question, 2, Fraction(1))
    packet = replace(path.packet, destination=ip_address(left_for), dport=8080)
    left = Ending(verdict=Verdict.LEFT_CLUSTER, reason="leaves the cluster by eth0 of node1")
    way = answered(question, replace(path, packet=packet, ending=left, hops=path.hops[:2]))

    assert way.family == family
    assert len(list(losses(way))) == (family == "lost")


def test_another_port_outside_is_not_the_endpoint() -> None:
    """Address and port make the endpoint."""
    world = led_to("192.0.2.77")
    question = questions(world)[0]
    path = delivered(question, 2, Fraction(1))
    packet = replace(path.packet, destination=ip_address("192.0.2.77"), dport=80)
    left = Ending(verdict=Verdict.LEFT_CLUSTER, reason="leaves the cluster by eth0 of node1")

    assert answered(question, replace(path, packet=packet, ending=left)).family == "lost"
