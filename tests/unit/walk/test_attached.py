"""What is said of programs at control groups, by who sends and who takes."""

from ipaddress import ip_address
from typing import cast

import pytest
from unit.walk.states import WrittenNode, WrittenState

from kubectl_packetpath.packet import ICMP, TCP, UDP, Packet
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.state import NodeState
from kubectl_packetpath.walk.attached import ANSWERING, ASKING, TAKING, at_sockets
from kubectl_packetpath.walk.place import Place

ALL = (
    "cgroup_inet_ingress",
    "cgroup_inet_egress",
    "cgroup_inet4_connect",
    "cgroup_inet6_connect",
    "cgroup_udp4_sendmsg",
    "cgroup_udp6_sendmsg",
)


def said(places: tuple[str, ...] | Absent, protocol: int, deciding: frozenset[str]) -> list[str]:
    """The texts about an IPv4 packet."""
    node = WrittenNode(states=(WrittenState(socket_places=places),))
    place = Place(node=cast(NodeState, node), state=node.host())
    packet = Packet(source=ip_address("10.0.0.1"), destination=ip_address("10.0.0.2"), protocol=protocol)
    return list(at_sockets(place, packet, deciding))


@pytest.mark.parametrize(
    ("protocol", "deciding", "expected"),
    [
        (TCP, ASKING, {"cgroup_inet_egress", "cgroup_inet4_connect"}),
        (UDP, ASKING, {"cgroup_inet_egress", "cgroup_inet4_connect", "cgroup_udp4_sendmsg"}),
        (TCP, ANSWERING, {"cgroup_inet_egress"}),
        (UDP, ANSWERING, {"cgroup_inet_egress", "cgroup_udp4_sendmsg"}),
        (TCP, TAKING, {"cgroup_inet_ingress"}),
        (ICMP, ANSWERING, set()),
        (ICMP, TAKING, set()),
    ],
)
def test_programs_that_are_asked(protocol: int, deciding: frozenset[str], expected: set[str]) -> None:
    """A server does not connect, and the kernel's own answers belong to no group."""
    texts = said(ALL, protocol, deciding)

    assert {text.split("(")[1].split(")")[0] for text in texts} == expected
    assert all(text.startswith("node-a host: ") for text in texts)


@pytest.mark.parametrize(
    ("why", "count"), [(Why.NOT_LOADED, 0), (Why.NOT_ASKED, 0), (Why.NOT_PERMITTED, 1), (Why.UNREADABLE, 1)]
)
def test_what_could_not_be_read(why: Why, count: int) -> None:
    """It is a doubt, unless the kernel has no such thing or the recording is older than the question."""
    assert len(said(Absent(why=why, detail="so"), TCP, ASKING)) == count
