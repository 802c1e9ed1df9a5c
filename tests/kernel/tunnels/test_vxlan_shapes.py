"""VXLAN as others than flannel set it up: flooding, learning, IPv6, port ranges, next hop groups, and on a bridge."""

import json
from collections.abc import Iterator
from fractions import Fraction

import pytest
from kernel.lab import happened
from kernel.tunnels.agreement import assert_agrees
from kernel.tunnels.capture import capturing, told
from kernel.tunnels.flannel import MACS, PLACES, fdb, flannel, overlay
from kernel.tunnels.nodes import NODES, PODS, PORT, UNDERLAY, UNDERLAY6, Nodes, nodes, other

from kubectl_packetpath.trace import StepKind, Verdict
from testbed.netns import succeed

pytestmark = pytest.mark.kernel


@pytest.fixture
def bare() -> Iterator[Nodes]:
    """Two nodes without an overlay."""
    with nodes("shapes") as made:
        yield made


@pytest.mark.parametrize("learning", ["learning", "nolearning"])
@pytest.mark.parametrize("neighbour", [True, False], ids=["known", "asked-for"])
def test_one_remote_for_all(bare: Nodes, learning: str, neighbour: bool) -> None:
    """The entry for addresses without one of their own; a neighbour may be asked for through it."""
    for node in NODES:
        overlay(bare, node, f"remote {UNDERLAY[other(node)]} {learning}", neighbour=neighbour)

    path = assert_agrees(bare)

    assert path.ending.verdict is Verdict.DELIVERED


def test_ipv6_inside(bare: Nodes) -> None:
    """IPv6 in IPv4."""
    for node in NODES:
        overlay(bare, node, f"remote {UNDERLAY[other(node)]} nolearning")

    assert assert_agrees(bare, target="fd24:2::2").ending.verdict is Verdict.DELIVERED


def test_ipv6_outside(bare: Nodes) -> None:
    """IPv4 in IPv6, as flannel does it for IPv6 clusters."""
    for node in NODES:
        overlay(bare, node, f"local {UNDERLAY6[node]} remote {UNDERLAY6[other(node)]} nolearning")

    assert assert_agrees(bare).ending.verdict is Verdict.DELIVERED


def test_a_device_of_the_other_family_does_not_listen(bare: Nodes) -> None:
    """The same port and VNI, but over IPv6."""
    overlay(bare, "a", f"remote {UNDERLAY['b']} nolearning")
    overlay(bare, "b", f"local {UNDERLAY6['b']} remote {UNDERLAY6['a']} nolearning")

    path = assert_agrees(bare)

    assert path.ending.reason == "no VXLAN device listens on UDP port 8472 of b: there is no such device"


def test_flooding_to_several_is_not_decided(bare: Nodes) -> None:
    """Several copies travel: the place is named."""
    for node in NODES:
        overlay(bare, node, f"remote {UNDERLAY[other(node)]} nolearning")
    fdb(bare, "a", "append 00:00:00:00:00:00 dev flannel.1 dst 192.168.7.77 self permanent")

    path = bare.path()

    assert path.ending.verdict is Verdict.UNKNOWN
    assert path.ending.reason == f"a flannel.1: the frame for {MACS['b']} is flooded to 2 hosts"


def test_a_multicast_group_is_not_decided(bare: Nodes) -> None:
    """Who joined it is not to be seen."""
    overlay(bare, "a", "group 239.1.1.1 dev eth0")

    assert "flooded to the group 239.1.1.1" in bare.path().ending.reason


def test_an_external_device_is_not_decided(bare: Nodes) -> None:
    """Routes or programs say where it sends."""
    bare.host(
        "a",
        "link add flannel.1 type vxlan dstport 8472 external",
        "link set flannel.1 up",
        "route add 10.244.2.0/24 dev flannel.1",
    )

    assert "external mode" in bare.path().ending.reason


def test_a_permanent_entry_elsewhere_stops_a_learning_device(bare: Nodes) -> None:
    """It takes frames of that address only from where the entry says: a node with a new address is not heard."""
    for node in NODES:
        overlay(bare, node, f"remote {UNDERLAY[other(node)]} learning")
    fdb(bare, "b", f"replace {MACS['a']} dev flannel.1 dst 192.168.7.9 self permanent")

    path = assert_agrees(bare)

    assert path.ending.verdict is Verdict.DROPPED
    assert f"{MACS['a']} is behind 192.168.7.9, not {UNDERLAY['a']}" in path.ending.reason


def test_the_same_link_address_on_both_is_a_loop(bare: Nodes) -> None:
    """Two nodes whose VXLAN devices were cloned."""
    for node in NODES:
        overlay(bare, node, f"remote {UNDERLAY[other(node)]} nolearning")
    bare.host("b", f"link set flannel.1 address {MACS['a']}")

    path = assert_agrees(bare)

    assert path.ending.verdict is Verdict.DROPPED
    assert "taken for a loop" in path.ending.reason


def test_the_source_port_is_of_the_range(bare: Nodes) -> None:
    """A hash picks it: the trace claims the range's first, and says that it is the kernel's choice."""
    for node in NODES:
        overlay(bare, node, f"remote {UNDERLAY[other(node)]} nolearning srcport 51000 51007")

    path = bare.path()
    outer = next(step.after for step in path.steps if step.kind is StepKind.ENCAPSULATED)
    assert outer is not None
    with capturing(bare.lab, *PLACES) as capture:
        bare.lab.reach("pod-a", PODS["b"], PORT, "udp")
        seen = capture.came_in(PORT, 4)

    assert (outer.sport, outer.sport_chosen) == (51000, True)
    assert seen[1].layers[0].sport in range(51000, 51008)


@pytest.mark.parametrize("via", [False, True], ids=["entry", "entry-via-device"])
def test_the_wire_without_a_route(bare: Nodes, via: bool) -> None:
    """An entry that names a device takes the peer for a neighbour there; the tunnel's own device is not asked."""
    for node in NODES:
        flannel(bare, node)
    bare.host("a", f"addr del {UNDERLAY['a']}/24 dev eth0", f"addr add {UNDERLAY['a']}/32 dev eth0")
    if via:
        entry = f"{MACS['b']} dev flannel.1 dst {UNDERLAY['b']}"
        fdb(bare, "a", f"del {entry}")
        fdb(bare, "a", f"append {entry} via eth0 self permanent")

    path = assert_agrees(bare)

    assert path.ending.verdict is (Verdict.DELIVERED if via else Verdict.NO_ROUTE)


def test_the_outer_source_may_be_translated(bare: Nodes) -> None:
    """A masquerading rule for all that leaves the node meets the outer packet too; the inner one keeps its source."""
    for node in NODES:
        flannel(bare, node)
    bare.host("a", "addr add 192.168.7.33/24 dev eth0")
    rules = "*nat\n-A POSTROUTING -o eth0 -p udp -j SNAT --to-source 192.168.7.33\nCOMMIT\n"
    bare.lab.load("host-a", "iptables-nft-restore", rules)

    path = assert_agrees(bare)

    assert path.ending.verdict is Verdict.DELIVERED
    assert not path.masqueraded
    assert str(told(path, *PLACES)[1].layers[0].source) == "192.168.7.33"


def test_masquerading_inside_is_undone_on_the_way_back(bare: Nodes) -> None:
    """The tunnel's own address is the source inside; the answer finds the connection when it is unwrapped."""
    for node in NODES:
        flannel(bare, node)
    bare.lab.load(
        "host-a", "iptables-nft-restore", "*nat\n-A POSTROUTING -o flannel.1 -j MASQUERADE\nCOMMIT\n"
    )

    path = assert_agrees(bare)

    assert path.ending.verdict is Verdict.DELIVERED
    assert path.masqueraded
    assert str(path.packet.source) == "10.244.1.0"
    assert path.reply is not None
    assert path.reply.packet.destination == path.hops[0].steps[0].after.source  # type: ignore[union-attr]


def test_a_group_of_next_hops_shares(bare: Nodes) -> None:
    """Frames for one address to two hosts by turns (EVPN multihoming)."""
    flannel(bare, "a")
    flannel(bare, "b")
    bare.host(
        "a",
        f"nexthop add id 12 via {UNDERLAY['b']} fdb",
        "nexthop add id 13 via 192.168.7.77 fdb",
        "nexthop add id 100 group 12/13 fdb",
    )
    fdb(bare, "a", f"del {MACS['b']} dev flannel.1")
    fdb(bare, "a", f"add {MACS['b']} dev flannel.1 nhid 100 self permanent")

    paths = bare.trace().paths

    outer = {
        (str(step.after.destination), path.weight)
        for path in paths
        for step in path.steps
        if step.kind is StepKind.ENCAPSULATED and step.after is not None
    }
    assert {address for address, _ in outer} == {UNDERLAY["b"], "192.168.7.77"}
    assert sum(path.weight or 0 for path in paths if path.weight is not None) <= 1


@pytest.fixture
def bridged() -> Iterator[Nodes]:
    """One network over both nodes: a bridge on each, with the pod and a VXLAN device as its ports."""
    with nodes("evpn") as made:
        for number, node in enumerate(NODES, start=1):
            made.host(
                node,
                "link add br0 type bridge",
                "link set br0 up",
                "addr flush dev veth0",
                "link set veth0 master br0",
                f"link add vxlan9 address {MACS[node]} type vxlan id 9 dstport 4789 local {UNDERLAY[node]}"
                f" remote {UNDERLAY[other(node)]}",
                "link set vxlan9 master br0 up",
            )
            made.lab[f"pod-{node}"].ip("addr flush dev eth0", f"addr add 10.9.0.{number}/24 dev eth0")
        yield made


@pytest.mark.parametrize("warm", [False, True], ids=["first-packet", "learnt"])
def test_one_network_over_bridges(bridged: Nodes, warm: bool) -> None:
    """The frame is bridged into the tunnel and out of it."""
    if warm:
        bridged.lab.reach("pod-a", "10.9.0.2", PORT)
    path = bridged.path("10.9.0.2")

    assert path.ending.verdict is Verdict.DELIVERED
    assert path.reply is not None
    assert path.reply.ending.verdict is Verdict.DELIVERED
    assert happened(bridged.lab, "pod-a", "10.9.0.2", PORT)[0] == "reached"


@pytest.fixture
def far(bare: Nodes) -> Nodes:
    """The nodes' tunnels go by a second wire each, into two networks with a router between them."""
    bare.lab.add("router")
    for number, node in enumerate(NODES, start=1):
        bare.lab.connect((f"host-{node}", "eth1"), ("router", f"r{node}"))
        bare.host(
            node,
            f"addr add 192.168.1{number}.1/24 dev eth1",
            f"route add 192.168.1{3 - number}.0/24 via 192.168.1{number}.254",
        )
        bare.lab["router"].ip(f"addr add 192.168.1{number}.254/24 dev r{node}")
        overlay(bare, node, f"local 192.168.1{number}.1 remote 192.168.1{3 - number}.1")
    bare.lab["router"].sysctls({"net/ipv4/ip_forward": 1})
    return bare


def test_nodes_in_two_networks(far: Nodes) -> None:
    """A router that no agent sees carries the outer packet."""
    path = far.path()

    assert path.ending.verdict is Verdict.DELIVERED
    assert "carried by the router 192.168.11.254 to 192.168.12.1 of b" in [step.text for step in path.steps]
    assert path.reply is not None
    assert path.reply.ending.verdict is Verdict.DELIVERED
    assert happened(far.lab, "pod-a", PODS["b"], PORT)[0] == "reached"


def test_the_outer_route_is_gone(far: Nodes) -> None:
    """The tunnel is as it was, and its way is not."""
    far.host("a", "route del 192.168.12.0/24")

    path = far.path()

    assert path.ending.verdict is Verdict.NO_ROUTE
    assert path.ending.reason == "no route to 192.168.12.1"
    assert happened(far.lab, "pod-a", PODS["b"], PORT)[0] != "reached"


def test_two_ways_for_the_outer_packet(far: Nodes) -> None:
    """One of two equal next hops leads into nothing: half of the flows."""
    far.host("a", "route replace 192.168.12.0/24 nexthop via 192.168.11.254 nexthop via 192.168.11.77")

    paths = far.trace().paths

    assert [path.weight for path in paths] == [Fraction(1, 2), Fraction(1, 2)]
    verdicts = [path.ending.verdict for path in paths]
    assert verdicts[0] is Verdict.DELIVERED
    assert verdicts[1] in {Verdict.UNKNOWN, Verdict.DELIVERED}


def test_the_way_that_the_tunnels_own_address_belongs_to(far: Nodes) -> None:
    """Of two next hops, kernels since 6.16 take the one at whose device the outer source is; older ones take both."""
    host = far.lab["host-a"]
    host.sysctls({"net/ipv4/fib_multipath_hash_policy": 1})
    far.host(
        "a",
        "route replace 192.168.12.0/24 nexthop via 192.168.11.254 nexthop via 192.168.7.77 onlink dev eth0",
    )
    asked = [
        "ip",
        "-j",
        "-n",
        host.name,
        *["route", "get", "192.168.12.1", "from", "192.168.11.1", "ipproto", "udp", "sport"],
    ]
    devices = {json.loads(succeed([*asked, str(port)]))[0]["dev"] for port in range(1, 33)}

    paths = far.trace().paths

    assert len(paths) == len(devices)
    assert paths[0].ending.verdict is Verdict.DELIVERED
