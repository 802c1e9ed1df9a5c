"""Marks that choose a table, connections that run already, and packets that nobody tracks."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address

import pytest
from kernel.lab import Lab, happened, lab, predicted, question, walk

from kubectl_packetpath.packet import State
from kubectl_packetpath.trace import Verdict

pytestmark = pytest.mark.kernel


@pytest.fixture(params=["iptables-legacy-restore", "iptables-nft-restore"], ids=["legacy", "iptables-nft"])
def program(request: pytest.FixtureRequest) -> str:
    """Who loads the rules."""
    return str(request.param)


@pytest.fixture
def two_ways() -> Iterator[Lab]:
    """A client, a router, and two servers that both call themselves 10.5.0.1."""
    with lab("marks") as made:
        made.add("router", "client", "left", "right")
        made.connect(("router", "client"), ("client", "eth0"))
        made["router"].ip("addr add 10.0.0.1/24 dev client")
        made["client"].ip("addr add 10.0.0.2/24 dev eth0", "route add default via 10.0.0.1")
        for number, name in enumerate(("left", "right"), start=1):
            made.connect(("router", name), (name, "eth0"))
            made["router"].ip(f"addr add 10.0.{number}.1/24 dev {name}")
            made[name].ip(
                f"addr add 10.0.{number}.2/24 dev eth0",
                "addr add 10.5.0.1/32 dev lo",
                f"route add default via 10.0.{number}.1",
            )
            made.serve(name, "tcp:80", "udp:80")
        made["router"].ip(
            "route add 10.5.0.1 via 10.0.1.2",
            "route add 10.5.0.1 via 10.0.2.2 table 100",
            "rule add fwmark 0x10/0xf0 lookup 100",
        )
        made["router"].sysctls({"net/ipv4/ip_forward": 1})
        yield made


@pytest.mark.parametrize(("mark", "server"), [("0x10", "right"), ("0x20", "left"), ("0x1f", "right")])
def test_a_mark_in_prerouting_chooses_the_table(two_ways: Lab, program: str, mark: str, server: str) -> None:
    """Before routing, any table may set it."""
    two_ways.load("router", program, f"*mangle\n-A PREROUTING -j MARK --set-mark {mark}\nCOMMIT\n")

    expected = predicted(two_ways, "client", "10.5.0.1", 80)

    assert expected == {happened(two_ways, "client", "10.5.0.1", 80)} == {("reached", server, "10.0.0.2")}


@pytest.mark.parametrize("table", ["mangle", "raw"])
def test_a_mark_in_output_routes_again_only_from_mangle(two_ways: Lab, program: str, table: str) -> None:
    """The raw table's mark comes too late for the route, and the way stays."""
    two_ways.load("router", program, f"*{table}\n-A OUTPUT -j MARK --set-mark 0x10\nCOMMIT\n")

    paths = walk(two_ways, "router", question("10.5.0.1", 80))
    seen = two_ways.reach("router", "10.5.0.1", 80)

    assert [path.hops[-1].namespace for path in paths] == [f"lab/{seen['name']}"]
    assert seen["name"] == ("right" if table == "mangle" else "left")


@pytest.mark.parametrize("table", ["mangle", "raw"])
def test_the_first_source_stays_when_a_mark_moves_the_packet(two_ways: Lab, program: str, table: str) -> None:
    """The server sees the address that was chosen for the first way."""
    two_ways.load("router", program, f"*{table}\n-A OUTPUT -j MARK --set-mark 0x10\nCOMMIT\n")

    expected = predicted(two_ways, "router", "10.5.0.1", 80)

    assert expected == {happened(two_ways, "router", "10.5.0.1", 80)}


def test_an_untracked_packet_is_not_translated(two_ways: Lab, program: str) -> None:
    """NOTRACK in raw takes the packet out of NAT's hands."""
    two_ways.load(
        "router",
        program,
        "*raw\n-A PREROUTING -d 10.96.0.1 -j CT --notrack\nCOMMIT\n"
        "*nat\n-A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 10.5.0.1\nCOMMIT\n",
    )

    (path,) = walk(two_ways, "client", question("10.96.0.1", 80))

    assert path.ending.verdict is Verdict.NO_ROUTE
    assert path.packet.connection is not None
    assert path.packet.connection.state is State.UNTRACKED
    assert happened(two_ways, "client", "10.96.0.1", 80)[0] == "unreachable"


def test_a_running_flow_keeps_its_old_endpoint(two_ways: Lab, program: str) -> None:
    """Rules are asked for the first packet only: a UDP flow stays where it went before they changed."""
    rules = "*nat\n-A PREROUTING -d 10.96.0.1 -p udp -j DNAT --to-destination 10.0.{0}.2\nCOMMIT\n"
    two_ways.load("router", program, rules.format(1))
    first = two_ways.reach("client", "10.96.0.1", 80, "udp", sport=41000)
    two_ways.load("router", program, rules.format(2))
    again = two_ways.reach("client", "10.96.0.1", 80, "udp", sport=41000)
    fresh = two_ways.reach("client", "10.96.0.1", 80, "udp", sport=41001)

    running = replace(question("10.96.0.1", 80, "udp", sport=41000), source=ip_address("10.0.0.2"))
    (old,) = walk(two_ways, "client", running, ask_table=True)
    (new,) = walk(two_ways, "client", replace(running, sport=41001))

    assert (first["name"], again["name"], fresh["name"]) == ("left", "left", "right")
    assert (old.hops[-1].namespace, new.hops[-1].namespace) == ("lab/left", "lab/right")


def test_random_endpoints_have_their_share(two_ways: Lab, program: str) -> None:
    """Each branch is walked to its own server, and the real ones are among them."""
    two_ways.load(
        "router",
        program,
        "*nat\n"
        "-A PREROUTING -d 10.96.0.1 -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.0.1.2\n"
        "-A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 10.0.2.2\n"
        "COMMIT\n",
    )

    paths = walk(two_ways, "client", question("10.96.0.1", 80))
    expected = predicted(two_ways, "client", "10.96.0.1", 80)

    assert {(path.hops[-1].namespace, path.weight) for path in paths} == {
        ("lab/left", Fraction(1, 2)),
        ("lab/right", Fraction(1, 2)),
    }
    assert {happened(two_ways, "client", "10.96.0.1", 80) for _ in range(20)} == expected


def test_both_back_ends_are_asked_and_a_drop_in_one_is_final(two_ways: Lab) -> None:
    """Accepted by one table, dropped by another of the same priority."""
    two_ways.load("router", "iptables-legacy-restore", "*filter\n-A FORWARD -d 10.5.0.1 -j ACCEPT\nCOMMIT\n")
    two_ways.load("router", "iptables-nft-restore", "*filter\n-A FORWARD -d 10.5.0.1 -j DROP\nCOMMIT\n")

    paths = walk(two_ways, "client", question("10.5.0.1", 80))

    assert [path.ending.verdict for path in paths] == [Verdict.DROPPED]
    assert happened(two_ways, "client", "10.5.0.1", 80)[0] == "timeout"
