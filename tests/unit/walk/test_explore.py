"""One node's share of the way, in namespaces that a test wrote down."""

from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address, ip_network

import pytest
from unit.walk.states import LO, WrittenNode, WrittenState, device, owned, packet, route

from kubectl_packetpath.packet import TCP
from kubectl_packetpath.snapshot import NamespacePeer, PodReference
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.routing import NextHop, Route
from kubectl_packetpath.snapshot.sockets import Socket
from kubectl_packetpath.trace import StepKind, Verdict
from kubectl_packetpath.walk.explore import Egress, NodePath, Originated, ReceivedOn, run

FORWARDING = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/eth0/forwarding": "1",
    "net/ipv4/conf/cali1/forwarding": "1",
}


def pod_node(**more: object) -> WrittenNode:
    """A host with an uplink, and a pod behind a veth."""
    uplink, veth = device(2, "eth0"), device(5, "cali1", kind="veth", link=3, link_netnsid=0)
    host = WrittenState(
        identity=1,
        peers=(NamespacePeer(nsid=0, identity=2),),
        devices=(LO, uplink, veth),
        owned=(owned(2, "192.0.2.10/24"),),
        ways=(
            route("local 192.0.2.10/32 dev 2"),
            route("192.0.2.0/24 dev 2"),
            route("default via 192.0.2.1 dev 2"),
            route("10.1.0.3/32 dev 5"),
        ),
        settings=FORWARDING,
    )
    pod = WrittenState(
        identity=2,
        is_host=False,
        pod=PodReference(namespace="shop", name="web-1"),
        peers=(NamespacePeer(nsid=0, identity=1),),
        devices=(LO, device(3, "eth0", kind="veth", link=5, link_netnsid=0)),
        owned=(owned(3, "10.1.0.3/32"),),
        ways=(route("local 10.1.0.3/32 dev 3"), route("default via 169.254.1.1 dev 3")),
        listening=(Socket(family=4, protocol=TCP, address=ip_address("0.0.0.0"), port=8080, state=10),),
    )
    host = replace(host, **more)  # type: ignore[arg-type]
    return WrittenNode(states=(host, pod))


def only(paths: object) -> NodePath:
    """The one path that there is."""
    (path,) = list(paths)  # type: ignore[call-overload]
    assert isinstance(path, NodePath)
    return path


def test_from_the_wire_into_a_pod() -> None:
    """Two hops, and the socket is named."""
    start = ReceivedOn(namespace=1, device="eth0", packet=packet("198.51.100.1:40000 10.1.0.3:8080"))

    path = only(run(pod_node(), start))

    assert path.ending.verdict is Verdict.DELIVERED
    assert [hop.namespace for hop in path.hops] == ["host", "shop/web-1"]
    assert path.packet.ttl == 63


@pytest.mark.parametrize("answers", ["1", "0"])
def test_a_gateway_that_only_proxy_arp_answers_for(answers: str) -> None:
    """169.254.1.1 belongs to nobody: the host's end of the veth has to answer for it."""
    settings = {**FORWARDING, "net/ipv4/conf/cali1/proxy_arp": answers}
    start = Originated(namespace=2, packet=packet("0.0.0.0:40000 198.51.100.1:80"))

    path = only(run(pod_node(settings=settings), start))

    expected = Verdict.SENT if answers == "1" else Verdict.NO_NEIGHBOUR
    assert path.ending.verdict is expected
    assert str(path.packet.source) == "10.1.0.3"


def test_what_leaves_the_node_says_by_which_device_and_to_whom() -> None:
    """The next hop is the gateway."""
    start = Originated(namespace=1, packet=packet("0.0.0.0:40000 198.51.100.1:80"))

    path = only(run(pod_node(), start))

    assert path.ending.verdict is Verdict.SENT
    assert path.egress == Egress(device="eth0", next_hop=ip_address("192.0.2.1"))
    assert str(path.packet.source) == "192.0.2.10"


def test_the_shares_of_a_fork_sum_to_one() -> None:
    """Equal cost paths."""
    hops = (
        NextHop(device=2, gateway=ip_address("192.0.2.1"), weight=1),
        NextHop(device=2, gateway=ip_address("192.0.2.2"), weight=2),
    )
    ways = (route("local 192.0.2.10/32 dev 2"), Route(destination=ip_network("0.0.0.0/0"), hops=hops))
    start = Originated(namespace=1, packet=packet("0.0.0.0:40000 198.51.100.1:80"))

    paths = list(run(pod_node(ways=ways), start))

    assert [path.weight for path in paths] == [Fraction(1, 3), Fraction(2, 3)]


def test_a_packet_that_is_too_big() -> None:
    """The device's MTU decides, and the packet may not be cut."""
    start = ReceivedOn(
        namespace=1, device="eth0", packet=packet("198.51.100.1:40000 10.1.0.3:8080", size_bytes=1501)
    )

    assert only(run(pod_node(), start)).ending.verdict is Verdict.TOO_BIG


def test_a_packet_whose_time_is_over() -> None:
    """It has one hop left, and needs two."""
    start = ReceivedOn(namespace=1, device="eth0", packet=packet("198.51.100.1:40000 10.1.0.3:8080", ttl=1))

    assert only(run(pod_node(), start)).ending.verdict is Verdict.EXPIRED


@pytest.mark.parametrize("program", [{"has_tc_programs": True}, {"xdp_program": 7}])
def test_a_program_at_the_device_is_an_assumption(program: dict[str, object]) -> None:
    """The walk goes on, and says what it did not look at."""
    devices = (LO, device(2, "eth0", **program), device(5, "cali1", kind="veth", link=3, link_netnsid=0))
    start = ReceivedOn(namespace=1, device="eth0", packet=packet("198.51.100.1:40000 10.1.0.3:8080"))

    path = only(run(pod_node(devices=devices), start))

    assert path.weight is None
    assert path.ending.verdict is Verdict.DELIVERED


@pytest.mark.parametrize(
    ("devices", "name"),
    [
        (
            (device(2, "eth0", has_tc_programs=True), device(6, "eth0.7", kind="vlan", link=2, vlan_id=7)),
            "eth0",
        ),
        ((device(2, "eth0", has_tc_programs=True, master=6), device(6, "bond0", kind="bond")), "eth0"),
        (
            (
                device(2, "eth0", has_tc_programs=True, master=5),
                device(5, "bond0", kind="bond"),
                device(6, "bond0.7", kind="vlan", link=5, vlan_id=7),
            ),
            "eth0",
        ),
    ],
    ids=["vlan", "bond", "vlan-on-bond"],
)
def test_a_program_below_the_device_is_an_assumption(devices: tuple[Link, ...], name: str) -> None:
    """What a packet is given to is not the last that decides about it."""
    ways = (route("10.0.0.0/8 dev 6"), route("local 192.0.2.10/32 dev 2"))
    start = Originated(namespace=1, packet=packet("192.0.2.10:40000 10.2.0.3:80"))

    path = only(run(pod_node(ways=ways, devices=(LO, *devices)), start))

    said = [step.text for hop in path.hops for step in hop.steps if step.kind is StepKind.ASSUMED]
    assert said == [f"node-a {name}: a tc program is not modelled"]
    assert path.weight is None


@pytest.mark.parametrize(
    "devices",
    [
        (device(6, "eth0.7", kind="vlan", link=6, vlan_id=7),),
        (device(6, "bond0", kind="bond", master=6),),
        (
            device(6, "a", kind="vlan", link=5, vlan_id=1),
            device(5, "b", kind="vlan", link=6, vlan_id=2),
        ),
    ],
    ids=["vlan", "bond", "two"],
)
def test_a_ring_of_devices_ends(devices: tuple[Link, ...]) -> None:
    """No kernel has one, but a recording may."""
    ways = (route("10.0.0.0/8 dev 6"), route("local 192.0.2.10/32 dev 2"))
    start = Originated(namespace=1, packet=packet("192.0.2.10:40000 10.2.0.3:80"))

    path = only(run(pod_node(ways=ways, devices=(LO, device(2, "eth0"), *devices)), start))

    assert path.ending.verdict is Verdict.SENT


@pytest.mark.parametrize("program", [{"has_tc_programs": True}, {"xdp_program": 7}])
def test_a_program_at_the_bond_is_an_assumption(program: dict[str, object]) -> None:
    """It sees what comes in by the devices below."""
    bond = device(6, "eth0", kind="bond", **program)
    cali = device(5, "cali1", kind="veth", link=3, link_netnsid=0)
    start = ReceivedOn(namespace=1, device="ens1", packet=packet("198.51.100.1:40000 10.1.0.3:8080"))

    path = only(run(pod_node(devices=(LO, device(2, "ens1", master=6), bond, cali)), start))

    assert path.weight is None
    assert path.ending.verdict is Verdict.DELIVERED


def test_hardware_that_takes_from_another_device_is_an_assumption() -> None:
    """Accelerated networking of clouds: its driver may do more than pass frames on."""
    devices = (
        LO,
        device(2, "enP1", master=6),
        device(6, "eth0"),
        device(5, "cali1", kind="veth", link=3, link_netnsid=0),
    )
    start = ReceivedOn(namespace=1, device="enP1", packet=packet("198.51.100.1:40000 10.1.0.3:8080"))

    path = only(run(pod_node(devices=devices), start))

    assert path.weight is None
    assert path.ending.verdict is Verdict.DELIVERED


def test_a_tunnel_is_unknown_at_its_place() -> None:
    """Not a guess."""
    ways = (route("10.0.0.0/8 dev 6"), route("local 192.0.2.10/32 dev 2"))
    devices = (LO, device(2, "eth0"), device(6, "flannel.1", kind="tun", flags=0xC3))
    start = Originated(namespace=1, packet=packet("0.0.0.0:40000 10.2.0.3:80"))

    path = only(run(pod_node(ways=ways, devices=devices), start))

    assert path.ending.verdict is Verdict.UNKNOWN
    assert path.ending.reason == "node-a tun device flannel.1: not modelled yet"


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("openvswitch", "the flows of Open vSwitch decide, which are not modelled"),
        ("hsr", "what a device of kind hsr does is not modelled"),
    ],
)
def test_a_device_that_the_walk_does_not_know_is_unknown_at_its_place(kind: str, says: str) -> None:
    """Where it takes what comes in by a device below it, and where the host sends something into it."""
    ways = (route("10.0.0.0/8 dev 6"), route("local 192.0.2.10/32 dev 2"))
    devices = (LO, device(2, "eth0", master=6), device(6, "br-int", kind=kind))
    node = pod_node(ways=ways, devices=devices)
    told = packet("198.51.100.1:40000 192.0.2.10:22")
    starts = (
        ReceivedOn(namespace=1, device="eth0", packet=told),
        Originated(namespace=1, packet=packet("192.0.2.10:40000 10.2.0.3:80")),
    )

    endings = [only(run(node, start)).ending for start in starts]

    assert [each.verdict for each in endings] == [Verdict.UNKNOWN] * 2
    assert [each.reason for each in endings] == [f"node-a br-int: {says}"] * 2


def test_a_driver_that_takes_what_comes_in_by_another_device() -> None:
    """A virtual machine's fast device below the one that has the addresses."""
    devices = (LO, device(2, "eth0"), device(6, "enP1s1", master=2), device(5, "cali1"))
    start = ReceivedOn(namespace=1, device="enP1s1", packet=packet("198.51.100.1:40000 192.0.2.10:22"))

    path = only(run(pod_node(devices=devices), start))

    assert path.ending.verdict is Verdict.REFUSED
    assert {step.text for hop in path.hops for step in hop.steps} >= {
        "enP1s1 takes tcp 198.51.100.1:40000 > 192.0.2.10:22"
    }
