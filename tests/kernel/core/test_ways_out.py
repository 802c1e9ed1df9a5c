"""Ways out of a host with two uplinks: marks that routing chains set, and sources that rules go by."""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from kernel.core.router import socket_in
from kernel.lab import Lab, happened, identity, lab, predicted, question, walk

from kubectl_packetpath.trace import Verdict
from kubectl_packetpath.walk.explore import NodePath
from testbed.netns import succeed

pytestmark = pytest.mark.kernel

SERVER = {4: "10.5.0.1", 6: "fd00:5::1"}
"""Both servers have it."""
FIRST_SOURCE, FIRST_GATEWAY = {4: "10.0.1.1", 6: "fd00:1::1"}, {4: "10.0.1.2", 6: "fd00:1::2"}
"""The host's address at its first uplink, by which the main table leads."""
SOURCES = {4: ("10.0.1.1", "10.0.2.1"), 6: ("fd00:1::1", "fd00:2::1")}
VIRTUAL = {4: "10.96.0.1", 6: "fd00:96::1"}
IP = {4: "ip", 6: "ip6"}
LEGACY = {4: "iptables-legacy-restore", 6: "ip6tables-legacy-restore"}
NOWHERE = {"blackhole": 201, "unreachable": 202, "prohibit": 203}
"""Types of routes, and the tables with nothing else."""
MAIN = 32766
"""Preference of the rule for the main table."""
every_socket = pytest.mark.parametrize("protocol", ["tcp", "udp", "sendto"])
families = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])


@pytest.fixture(scope="module")
def built() -> Iterator[Lab]:
    """A host, and two servers with one address, each at an uplink of its own."""
    with lab("waysout") as made:
        made.add("host", "left", "right")
        for number, name in enumerate(("left", "right"), start=1):
            made.connect(("host", name), (name, "eth0"))
            made["host"].ip(
                f"addr add 10.0.{number}.1/24 dev {name}", f"addr add fd00:{number}::1/64 dev {name} nodad"
            )
            made[name].ip(
                f"addr add 10.0.{number}.2/24 dev eth0",
                f"addr add fd00:{number}::2/64 dev eth0 nodad",
                f"addr add {SERVER[4]}/32 dev lo",
                f"addr add {SERVER[6]}/128 dev lo",
                f"route add default via 10.0.{number}.1",
                f"route add default via fd00:{number}::1",
            )
            made.serve(name, "tcp:80", *(f"udp:{server}@80" for server in SERVER.values()))
        made["host"].ip(
            "route add default via 10.0.2.2 table 100", "route add default via fd00:2::2 table 100"
        )
        for family, (kind, table) in product(SERVER, NOWHERE.items()):
            ip(made, family, f"route add {kind} default table {table}")
        yield made


@pytest.fixture
def ways(built: Lab) -> Iterator[Lab]:
    """The same with the main table's way by the left, and no rules."""
    built["host"].ip(*(f"route add {SERVER[family]} via {FIRST_GATEWAY[family]}" for family in SERVER))
    yield built
    for family, server in SERVER.items():
        for destination in (server, VIRTUAL[family]):
            ip(built, family, f"route flush {destination}")
        for preference in preferences(built, family):
            ip(built, family, f"rule del pref {preference}")
    built.load("host", "nft -f -", "flush ruleset\n")
    for program in LEGACY.values():
        built.load("host", program, "".join(f"*{table}\nCOMMIT\n" for table in ("raw", "mangle", "nat")))
    succeed([*built["host"].enter, "conntrack", "-F"])


def ip(made: Lab, family: int, words: str) -> str:
    """Run `ip` on the host for this IP version."""
    return succeed(["ip", f"-{family}", "-json", "-n", made["host"].name, *words.split()])


def preferences(made: Lab, family: int) -> list[int]:
    """Of the rules that a test has added."""
    found = [rule["priority"] for rule in json.loads(ip(made, family, "rule"))]
    return [each for each in found if 0 < each < MAIN]


def mark(made: Lab, first: str, last: str, kind: str = "filter") -> None:
    """A routing chain sets one mark, and a chain behind it another."""
    made.load(
        "host",
        "nft -f -",
        f"""table inet marks {{
            chain routing {{ type route hook output priority -150; th dport 80 meta mark set {first}; }}
            chain later {{ type {kind} hook output priority 0; th dport 80 counter meta mark set {last}; }}
        }}\n""",
    )


def seen_by_the_later_chain(made: Lab) -> int:
    """Packets of ours that came as far."""
    command = [*made["host"].enter, "nft", "-j", "list", "chain", "inet", "marks", "later"]
    entries: list[dict[str, Any]] = json.loads(succeed(command))["nftables"]
    words = next(entry["rule"]["expr"] for entry in entries if "rule" in entry)
    return int(next(word["counter"]["packets"] for word in words if "counter" in word))


def told(path: NodePath) -> str:
    """Every step in words."""
    return "\n".join(step.text for hop in path.hops for step in hop.steps)


@families
@pytest.mark.parametrize(
    ("marks", "kind", "server"),
    [
        (("0x10", "0x20"), "filter", "right"),
        (("0x20", "0x10"), "filter", "left"),
        (("0x10", "0x20"), "route", "left"),
        (("0x20", "0x10"), "route", "right"),
    ],
)
def test_the_way_is_that_of_the_mark_at_a_routing_chain(
    ways: Lab, family: int, marks: tuple[str, str], kind: str, server: str
) -> None:
    """Another mark that a filter chain sets later changes nothing, one of a later routing chain does."""
    ip(ways, family, "rule add fwmark 0x10 lookup 100")
    mark(ways, *marks, kind)

    expected = predicted(ways, "host", SERVER[family], 80)

    assert expected == {happened(ways, "host", SERVER[family], 80)}
    assert expected == {("reached", server, FIRST_SOURCE[family])}


@families
@pytest.mark.parametrize("kind", NOWHERE)
def test_a_mark_that_leads_nowhere_loses_the_packet_at_once(ways: Lab, family: int, kind: str) -> None:
    """No later chain sees it, not even the one that would set the mark back."""
    ip(ways, family, f"rule add fwmark 0x30 lookup {NOWHERE[kind]}")
    mark(ways, "0x30", "0x0")

    (path,) = walk(ways, "host", question(SERVER[family], 80, "udp"))
    seen = happened(ways, "host", SERVER[family], 80, "udp")

    assert (path.ending.verdict, seen[0]) == (Verdict.NO_ROUTE, "unreachable")
    assert kind in path.ending.reason
    assert "marks/later" not in told(path)
    assert seen_by_the_later_chain(ways) == 0


def test_a_connection_waits_in_vain_where_its_mark_leads_nowhere(ways: Lab) -> None:
    """TCP does not hear of it, and tries again."""
    ip(ways, 4, "rule add fwmark 0x30 blackhole")
    mark(ways, "0x30", "0x0")

    (path,) = walk(ways, "host", question(SERVER[4], 80))
    seen = ways.reach("host", SERVER[4], 80, seconds=0.3)

    assert (path.ending.verdict, seen["result"]) == (Verdict.NO_ROUTE, "timeout")
    assert seen_by_the_later_chain(ways) == 0


def test_a_later_chain_sees_what_is_not_lost(ways: Lab) -> None:
    """The counter counts."""
    ip(ways, 4, "rule add fwmark 0x10 lookup 100")
    mark(ways, "0x10", "0x0")

    seen = happened(ways, "host", SERVER[4], 80, "udp")

    assert seen == ("reached", "right", FIRST_SOURCE[4])
    assert seen_by_the_later_chain(ways) == 1


@families
@pytest.mark.parametrize("kind", ["nft", "legacy"])
def test_a_change_of_the_hop_limit_looks_for_a_way_of_ipv6(ways: Lab, family: int, kind: str) -> None:
    """And so brings a mark to bear that came too late for the first one; IPv4's TTL is none of routing's business."""
    ip(ways, family, "rule add fwmark 0x10 lookup 100")
    if kind == "nft":
        field = {4: "ip ttl", 6: "ip6 hoplimit"}[family]
        ways.load(
            "host",
            "nft -f -",
            f"""table inet marks {{
                chain first {{ type filter hook output priority -300; th dport 80 meta mark set 0x10; }}
                chain routing {{ type route hook output priority -150; th dport 80 {field} set 33; }}
            }}\n""",
        )
    else:
        program, target = LEGACY[family], {4: "TTL --ttl-set 33", 6: "HL --hl-set 33"}[family]
        words = "-A OUTPUT -p tcp --dport 80 -j"
        rules = f"*raw\n{words} MARK --set-mark 0x10\nCOMMIT\n*mangle\n{words} {target}\nCOMMIT\n"
        ways.load("host", program, rules)

    expected = predicted(ways, "host", SERVER[family], 80)

    assert expected == {happened(ways, "host", SERVER[family], 80)}
    assert expected == {("reached", "left" if family == 4 else "right", FIRST_SOURCE[family])}


@families
@pytest.mark.parametrize("kind", ["nft", "legacy"])
def test_a_mark_of_a_nat_chain_alone_changes_no_way(ways: Lab, family: int, kind: str) -> None:
    """NAT looks for another way only where it has changed the destination."""
    ip(ways, family, "rule add fwmark 0x10 lookup 100")
    if kind == "nft":
        words = "type nat hook output priority -100; th dport 80 meta mark set 0x10"
        ways.load("host", "nft -f -", f"table inet marks {{ chain nat {{ {words}; }}; }}\n")
    else:
        words = "-A OUTPUT -p udp --dport 80 -j MARK --set-mark 0x10"
        ways.load("host", LEGACY[family], f"*nat\n{words}\nCOMMIT\n")

    expected = predicted(ways, "host", SERVER[family], 80, "udp")

    assert expected == {happened(ways, "host", SERVER[family], 80, "udp")}
    assert expected == {("reached", "left", FIRST_SOURCE[family])}


@families
def test_a_new_destination_is_looked_for_with_the_mark_of_then(ways: Lab, family: int) -> None:
    """Not with the one by which a routing chain had chosen the way before."""
    ip(ways, family, "rule add fwmark 0x10 lookup 100")
    ip(ways, family, f"route add {VIRTUAL[family]} via {FIRST_GATEWAY[family]}")
    ways.load(
        "host",
        "nft -f -",
        f"""table inet marks {{
            chain routing {{ type route hook output priority -150; th dport 80 meta mark set 0x20; }}
            chain later {{ type filter hook output priority -120; th dport 80 meta mark set 0x10; }}
            chain nat {{ type nat hook output priority -100; th dport 80 dnat {IP[family]} to {SERVER[family]}; }}
        }}\n""",
    )

    expected = predicted(ways, "host", VIRTUAL[family], 80)

    assert expected == {happened(ways, "host", VIRTUAL[family], 80)}
    assert expected == {("reached", "right", FIRST_SOURCE[family])}


def test_connect_looks_for_the_way_again_from_its_source(ways: Lab) -> None:
    """TCP of IPv4 goes by a rule for the address that its first look-up found."""
    ip(ways, 4, f"rule add from {FIRST_SOURCE[4]} lookup 100")

    expected = predicted(ways, "host", SERVER[4], 80)

    assert expected == {happened(ways, "host", SERVER[4], 80)} == {("reached", "right", FIRST_SOURCE[4])}


def test_a_udp_socket_looks_again_only_if_it_connects(ways: Lab) -> None:
    """The walk does not know the program, and tells both ways."""
    ip(ways, 4, f"rule add from {FIRST_SOURCE[4]} lookup 100")

    expected = predicted(ways, "host", SERVER[4], 80, "udp")
    connected = happened(ways, "host", SERVER[4], 80, "udp")
    unconnected = happened(ways, "host", SERVER[4], 80, "sendto")

    assert connected == ("reached", "right", FIRST_SOURCE[4])
    assert unconnected == ("reached", "left", FIRST_SOURCE[4])
    assert expected == {connected, unconnected}


@every_socket
def test_ipv6_looks_once(ways: Lab, protocol: str) -> None:
    """A rule for the source that was found comes too late."""
    ip(ways, 6, f"rule add from {FIRST_SOURCE[6]} lookup 100")

    expected = predicted(ways, "host", SERVER[6], 80, "tcp" if protocol == "tcp" else "udp")

    assert expected == {happened(ways, "host", SERVER[6], 80, protocol)}
    assert expected == {("reached", "left", FIRST_SOURCE[6])}


@every_socket
@families
def test_a_routing_chain_looks_from_the_source(ways: Lab, family: int, protocol: str) -> None:
    """Whatever the socket did: by then the packet has one."""
    ip(ways, family, f"rule add from {FIRST_SOURCE[family]} lookup 100")
    mark(ways, "0x20", "0x0")

    expected = predicted(ways, "host", SERVER[family], 80, "tcp" if protocol == "tcp" else "udp")

    assert expected == {happened(ways, "host", SERVER[family], 80, protocol)}
    assert expected == {("reached", "right", FIRST_SOURCE[family])}


@every_socket
@families
def test_where_the_first_look_finds_nothing(ways: Lab, family: int, protocol: str) -> None:
    """IPv4 gives up, IPv6 chooses a source all the same and looks once more from there."""
    ip(ways, family, f"route del {SERVER[family]}")
    for source in SOURCES[family]:
        ip(ways, family, f"rule add from {source} lookup 100")

    expected = predicted(ways, "host", SERVER[family], 80, "tcp" if protocol == "tcp" else "udp")
    seen = happened(ways, "host", SERVER[family], 80, protocol)

    assert expected == {seen}
    assert seen[0] == ("unreachable" if family == 4 else "reached")


@every_socket
def test_a_route_for_one_source_only_is_found(ways: Lab, protocol: str) -> None:
    """IPv6 has no other to the server."""
    ip(ways, 6, f"route del {SERVER[6]}")
    for number in (1, 2):
        ip(ways, 6, f"route add {SERVER[6]} from fd00:{number}::/64 via fd00:{number}::2")

    expected = predicted(ways, "host", SERVER[6], 80, "tcp" if protocol == "tcp" else "udp")
    seen = happened(ways, "host", SERVER[6], 80, protocol)

    assert expected == {seen}
    assert seen[0] == "reached"


@families
def test_a_routing_chain_of_ipv4_forgets_who_sends(ways: Lab, family: int) -> None:
    """A rule for the uid of the program leads to the right, but IPv4 looks again as if root had sent the packet."""
    ip(ways, family, "rule add uidrange 1500-1500 lookup 100")
    mark(ways, "0x10", "0x0")

    (path,) = walk(ways, "host", replace(question(SERVER[family], 80, "udp"), uid=1500))

    answering = answering_server(ways, family, 1500)
    assert path.namespace == identity(ways[answering])
    assert answering == ("left" if family == 4 else "right")


def answering_server(made: Lab, family: int, uid: int) -> str:
    """Who answers a socket of this user."""
    with socket_in(made["host"], family, socket.SOCK_DGRAM) as asking:
        asking.settimeout(10)
        os.fchown(asking.fileno(), uid, -1)
        asking.connect((SERVER[family], 80))
        asking.send(b"?")
        return str(json.loads(asking.recv(2048))["name"])
