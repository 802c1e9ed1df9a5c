"""Packets in namespaces without rules: routes, neighbours, bridges, forwarding switches and sockets."""

from collections.abc import Iterator

import pytest
from kernel.lab import Lab, happened, lab, predicted, question, walk

from kubectl_packetpath.trace import StepKind, Verdict
from testbed.netns import succeed

pytestmark = pytest.mark.kernel


@pytest.fixture
def routed() -> Iterator[Lab]:
    """Client - router - server, both families."""
    with lab("plain") as made:
        made.add("router", "client", "server")
        for number, name in enumerate(("client", "server")):
            made.connect(("router", name), (name, "eth0"))
            made["router"].ip(
                f"addr add 10.0.{number}.1/24 dev {name}", f"addr add fd00:{number}::1/64 dev {name}"
            )
            made[name].ip(
                f"addr add 10.0.{number}.2/24 dev eth0",
                f"addr add fd00:{number}::2/64 dev eth0",
                f"route add default via 10.0.{number}.1",
                f"route add ::/0 via fd00:{number}::1",
            )
        made["router"].sysctls({"net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1})
        made.serve("server", "tcp:8080", "udp:8080", "tcp:127.0.0.1@8090")
        yield made


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("target", ["10.0.1.2", "fd00:1::2"])
def test_a_packet_is_routed_to_the_socket_and_the_answer_comes_back(
    routed: Lab, target: str, protocol: str
) -> None:
    """Two hops of routing, neighbours that nobody asked for before, a socket that takes all addresses."""
    expected = predicted(routed, "client", target, 8080, protocol)

    assert expected == {happened(routed, "client", target, 8080, protocol)}
    assert {result for result, *_ in expected} == {"reached"}


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("port", [8081, 8090])
def test_nothing_listens(routed: Lab, port: int, protocol: str) -> None:
    """A socket that is bound to another address does not take the packet, and the client is refused."""
    assert predicted(routed, "client", "10.0.1.2", port, protocol) == {("refused", "", "")}
    assert happened(routed, "client", "10.0.1.2", port, protocol) == ("refused", "", "")


@pytest.mark.parametrize(
    ("key", "target"), [("net/ipv4/ip_forward", "10.0.1.2"), ("net/ipv6/conf/all/forwarding", "fd00:1::2")]
)
def test_a_host_that_does_not_forward_drops(routed: Lab, key: str, target: str) -> None:
    """The switch that is off is the evidence."""
    routed["router"].sysctls({key: 0})

    paths = walk(routed, "client", question(target, 8080))

    assert [path.ending.verdict for path in paths] == [Verdict.DROPPED]
    assert any(fact.text.endswith(" = 0") for fact in paths[0].hops[-1].steps[-1].because)
    assert happened(routed, "client", target, 8080)[0] == "timeout"


@pytest.mark.parametrize(
    ("strictness", "announce", "expected"),
    [
        (0, 0, Verdict.DELIVERED),
        (1, 0, Verdict.NO_NEIGHBOUR),
        (1, 2, Verdict.DROPPED),
        (2, 0, Verdict.DELIVERED),
    ],
)
def test_the_reverse_path_filter(routed: Lab, strictness: int, announce: int, expected: Verdict) -> None:
    """A source whose way back goes elsewhere passes the loose filter; the strict one drops even its ARP request."""
    routed.add("other")
    routed.connect(("router", "other"), ("other", "eth0"))
    routed["router"].ip("addr add 10.0.9.1/24 dev other", "route add 10.0.77.0/24 dev other")
    routed["client"].ip("addr add 10.0.77.2/32 dev lo", "route change default via 10.0.0.1 src 10.0.77.2")
    routed["router"].sysctls({"net/ipv4/conf/client/rp_filter": strictness})
    routed["client"].sysctls({"net/ipv4/conf/eth0/arp_announce": announce})

    paths = walk(routed, "client", question("10.0.1.2", 8080))

    assert [path.ending.verdict for path in paths] == [expected]
    before = _received_by_server(routed)
    routed.reach("client", "10.0.1.2", 8080)
    assert (_received_by_server(routed) > before) == (strictness != 1)
    asked = succeed([*routed["client"].enter, "ip", "neigh", "show", "10.0.0.1"])
    assert ("lladdr" in asked) == (expected is not Verdict.NO_NEIGHBOUR)


def _received_by_server(made: Lab) -> int:
    """IPv4 packets that the server's namespace has delivered to TCP."""
    text = succeed([*made["server"].enter, "cat", "/proc/net/snmp"])
    names, values = [line.split() for line in text.splitlines() if line.startswith("Tcp:")]
    return int(values[names.index("InSegs")])


@pytest.mark.parametrize(
    ("key", "target"),
    [("net/ipv4/ip_default_ttl", "10.0.1.2"), ("net/ipv6/conf/eth0/hop_limit", "fd00:1::2")],
)
@pytest.mark.parametrize("turns", [1, 2])
def test_a_host_may_give_its_packets_few_hops(routed: Lab, key: str, target: str, turns: int) -> None:
    """One is too few for a router in between."""
    routed["client"].sysctls({key: turns})

    (path,) = walk(routed, "client", question(target, 8080))

    expected = ("timeout", Verdict.EXPIRED) if turns == 1 else ("reached", Verdict.DELIVERED)
    seen = routed.reach("client", target, 8080, seconds=0.3 if turns == 1 else 10)["result"]
    assert ("timeout" if seen == "unreachable" else seen, path.ending.verdict) == expected


def test_nobody_answers_for_the_address(routed: Lab) -> None:
    """The router knows the network, and no one there has the address."""
    assert {path.ending.verdict for path in walk(routed, "client", question("10.0.1.99", 8080))} == {
        Verdict.NO_NEIGHBOUR
    }
    assert happened(routed, "client", "10.0.1.99", 8080)[0] in {"timeout", "unreachable"}


def test_no_route(routed: Lab) -> None:
    """The router has no way on, and says so to the client."""
    assert predicted(routed, "client", "10.55.0.1", 8080) == {("unreachable", "", "")}
    assert happened(routed, "client", "10.55.0.1", 8080)[0] == "unreachable"


def test_a_packet_to_oneself_goes_by_loopback(routed: Lab) -> None:
    """An address of one's own is reached without leaving the namespace."""
    paths = walk(routed, "server", question("10.0.1.2", 8080))

    assert [(path.ending.verdict, len(path.hops)) for path in paths] == [(Verdict.DELIVERED, 1)]
    assert happened(routed, "server", "10.0.1.2", 8080) == ("reached", "server", str(paths[0].packet.source))


@pytest.fixture
def bridged() -> Iterator[Lab]:
    """Two pods on a bridge of the host."""
    with lab("bridge") as made:
        made.add("host", "one", "two")
        made["host"].ip("link add br0 type bridge", "addr add 10.1.0.1/24 dev br0", "link set br0 up")
        for number, name in enumerate(("one", "two"), start=2):
            made.connect(("host", f"veth{name}"), (name, "eth0"))
            made["host"].ip(f"link set veth{name} master br0")
            made[name].ip(f"addr add 10.1.0.{number}/24 dev eth0", "route add default via 10.1.0.1")
        made["host"].sysctls({"net/ipv4/ip_forward": 1})
        made.serve("two", "tcp:8080")
        made.serve("host", "tcp:9090")
        yield made


def test_frames_cross_the_bridge(bridged: Lab) -> None:
    """From pod to pod without IP in between."""
    paths = walk(bridged, "one", question("10.1.0.3", 8080))

    assert predicted(bridged, "one", "10.1.0.3", 8080) == {happened(bridged, "one", "10.1.0.3", 8080)}
    assert [hop.namespace for hop in paths[0].hops] == ["lab/one", "host", "lab/two"]
    assert StepKind.BRIDGED in {step.kind for step in paths[0].hops[1].steps}


def test_the_host_behind_the_bridge(bridged: Lab) -> None:
    """A frame for the bridge's own address goes up."""
    assert predicted(bridged, "one", "10.1.0.1", 9090) == {happened(bridged, "one", "10.1.0.1", 9090)}
    assert predicted(bridged, "host", "10.1.0.3", 8080) == {happened(bridged, "host", "10.1.0.3", 8080)}


def test_isolated_ports(bridged: Lab) -> None:
    """Two isolated ports do not talk to each other."""
    for name in ("one", "two"):
        bridged["host"].ip(f"link set veth{name} type bridge_slave isolated on")

    assert {path.ending.verdict for path in walk(bridged, "one", question("10.1.0.3", 8080))} <= {
        Verdict.DROPPED,
        Verdict.NO_NEIGHBOUR,
    }
    assert happened(bridged, "one", "10.1.0.3", 8080)[0] != "reached"
