"""Subjects beyond the small tables, each against the tool or the program that made them."""

import json
import re
import socket
import subprocess
import sys
from ipaddress import ip_address

import pytest
from kernel.agent.room import Full, fresh, rows

from kubectl_packetpath.packet import TCP, UDP
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.conntrack import FlowKey
from kubectl_packetpath.snapshot.xtables_blob import cut_chain, index_blob
from packetpath_agent import netns

pytestmark = pytest.mark.kernel

WITNESS = """
import ctypes, json, os, sys
descriptor = os.open(sys.argv[1], os.O_RDONLY)
assert ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000) == 0
import iptc
table = iptc.Table(sys.argv[2]) if sys.argv[3] == "4" else iptc.Table6(sys.argv[2])
print(json.dumps({chain.name: len(chain.rules) for chain in table.chains}))
"""


def test_routes_name_their_nexthop_objects(full: Full) -> None:
    """A route by nexthop object keeps the object's number, whose members say where it leads."""
    by_network = {str(row.destination): row for row in rows(full.state.routes())}

    assert by_network["10.31.0.0/16"].nexthop_id == 15
    assert [hop.weight for hop in by_network["10.31.0.0/16"].hops] == [5, 1]
    assert by_network["10.32.0.0/16"].nexthop_id == 12


def test_rare_parts_of_routes(full: Full) -> None:
    """A gateway of the other family, an encapsulation, and MTU, source, origin and onlink."""
    by_network = {str(row.destination): row for row in rows(full.state.routes())}
    pinned = by_network["10.35.0.0/16"]

    assert by_network["10.33.0.0/16"].hops[0].gateway == ip_address("2001:db8::5")
    assert by_network["10.34.0.0/16"].hops[0].encapsulation == "ip"
    assert (pinned.mtu, str(pinned.preferred_source), pinned.protocol, pinned.hops[0].flags) == (
        1300, "192.0.2.1", 80, 4,
    )  # fmt: skip


def test_rare_parts_of_rules(full: Full) -> None:
    """Users, ports, inversion, suppression, goto and rejection."""
    found = {row.priority: row for row in rows(full.state.policy_rules()) if row.family == 4}

    assert found[103].uid_range == (1000, 2000)
    assert (found[104].protocol, found[104].sport_range, found[104].dport_range) == (TCP, (7, 7), (80, 90))
    assert (found[105].invert, found[105].suppress_prefix_length) == (True, 0)
    assert (found[106].action, found[106].goto, found[106].iif) == ("goto", 32766, "a1")
    assert (found[107].action, str(found[107].source)) == ("blackhole", "10.9.9.0/24")


def test_a_rule_of_unknown_kind_makes_the_rules_absent(full: Full) -> None:
    """A selector that we do not know is not taken for a rule without it."""
    full.run("ip", "rule", "add", "dscp", "7", "lookup", "77", "pref", "900") if _knows_dscp(full) else None
    try:
        with fresh(full) as state:
            found = state.policy_rules()
    finally:
        subprocess.run(
            [*full.namespace.enter, "ip", "rule", "del", "pref", "900"], check=False, capture_output=True
        )

    if _knows_dscp(full):
        assert isinstance(found, Absent)
        assert found.why is Why.UNPARSABLE
    else:
        assert isinstance(found, tuple)


def _knows_dscp(full: Full) -> bool:
    return "dscp" in subprocess.run([*full.namespace.enter, "ip", "rule", "help"], capture_output=True, text=True, check=False).stderr  # fmt: skip


@pytest.mark.parametrize(("version", "table"), [(4, "nat"), (6, "filter")])
def test_python_iptables_counts_the_same_rules(full: Full, version: int, table: str) -> None:
    """Libiptc finds the same chains with as many rules; the last entry of a chain is its policy or return."""
    command = [sys.executable, "-c", WITNESS, str(full.namespace.path), table, str(version)]
    witness = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    tables = {(each.family, each.name): each for each in rows(full.state.legacy_tables())}
    ours = tables[version, table]
    assert ours.blob is not None
    chains = {
        name: len(cut_chain(version, ours.blob, at, ours.hook_entry, ours.underflow).rules) - 1
        for at, name in index_blob(version, ours.blob, ours.hook_entry, ours.underflow).items()
    }

    assert chains == witness


def test_reading_loads_no_legacy_table(full: Full) -> None:
    """Looking does not create the tables that are not there."""
    shown = full.run("cat", "/proc/net/ip_tables_names").split()

    assert shown == ["nat"]
    assert [(t.family, t.name) for t in rows(full.state.legacy_tables())] == [(4, "nat"), (6, "filter")]


def test_members_of_ipsets(full: Full) -> None:
    """As many members as ipset lists, in sets of several messages too, under the numbers that rules use."""
    saved = full.run("ipset", "save")
    counted = {name: len(re.findall(rf"^add {name} ", saved, re.MULTILINE)) for name in ("pods", "nets", "both", "many")}  # fmt: skip
    found = {each.name: each for each in (full.state.ipset_named(name) for name in counted) if not isinstance(each, Absent)}  # fmt: skip

    assert counted == {name: len(rows(each.members)) for name, each in found.items()}
    assert all(full.state.ipset(each.index) == each for each in found.values())


def test_a_question_reads_only_its_ipset(full: Full) -> None:
    """The members of other sets stay unread, and say so."""
    with fresh(full) as state:
        state.ipset_named("pods")
        told = {each.name: each.members for each in rows(state.narrowed().ipsets)}

    assert len(rows(told["pods"])) == 2
    assert isinstance(told["many"], Absent)


def test_ipsec_policies(full: Full) -> None:
    """Selectors, marks, priority and templates as `ip xfrm` set them."""
    found = {policy.direction: policy for policy in rows(full.state.xfrm_policies())}
    out = found["out"]

    assert (str(out.source), str(out.destination), out.protocol, out.dport, out.sport) == (
        "10.1.0.0/16", "10.2.0.0/16", TCP, 443, None,
    )  # fmt: skip
    assert (out.mark, out.mask, out.priority, out.action) == (0x10, 0xFF, 7, "allow")
    assert [(str(t.destination), t.protocol, t.mode, t.reqid) for t in out.templates] == [("192.0.2.9", 50, "tunnel", 5)]  # fmt: skip
    assert (str(found["in"].source), found["in"].action) == ("2001:db8::/32", "block")


def test_settings(full: Full) -> None:
    """Each setting is what /proc/sys of that namespace holds."""
    full.run("sysctl", "-qw", "net.ipv4.conf.a1.rp_filter=2")
    with fresh(full) as state:
        found = {
            key: state.sysctl(key) for key in ("net/ipv4/conf/a1/rp_filter", "net/ipv4/ip_local_port_range")
        }

    assert found["net/ipv4/conf/a1/rp_filter"] == "2"
    assert (
        found["net/ipv4/ip_local_port_range"]
        == full.run("cat", "/proc/sys/net/ipv4/ip_local_port_range").strip()
    )


@pytest.mark.vm
def test_raw_sockets_tell_their_protocol(full: Full) -> None:
    """Where the kernel lists raw sockets at all, each is of the protocol that it was made for."""
    with netns.inside(full.state.descriptor):
        ospf = socket.socket(socket.AF_INET, socket.SOCK_RAW, 89)
    with ospf, fresh(full) as state:
        assert (4, 89) in {(each.family, each.protocol) for each in rows(state.sockets())}


def test_sockets_that_take_packets(full: Full) -> None:
    """Listeners of both families, IPv6-only ones told apart, connected datagram sockets with their peer."""
    with netns.inside(full.state.descriptor):
        made = [
            socket.create_server(("192.0.2.1", 8001), backlog=7),
            socket.create_server(("::", 8002), family=socket.AF_INET6, dualstack_ipv6=True),
            socket.create_server(("::", 8003), family=socket.AF_INET6, dualstack_ipv6=False),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        ]
    made[3].bind(("127.0.0.1", 8004))
    made[3].connect(("127.0.0.1", 8005))
    try:
        with fresh(full) as state:
            found = {each.port: each for each in rows(state.sockets())}
    finally:
        for each in made:
            each.close()

    assert (str(found[8001].address), found[8001].protocol, found[8001].backlog) == ("192.0.2.1", TCP, 7)
    assert (found[8002].family, found[8002].v6only, found[8003].v6only) == (6, False, True)
    assert (found[8004].protocol, str(found[8004].remote), found[8004].remote_port) == (
        UDP,
        "127.0.0.1",
        8005,
    )


def test_a_connection_is_found_by_either_direction(full: Full) -> None:
    """The kernel's entry for a flow, asked by the original tuple and by that of the answers."""
    entry = "-I -p udp -s 127.0.0.1 -d 127.0.0.2 --sport 8101 --dport 8102 -t 60 -u SEEN_REPLY"
    full.run("conntrack", *entry.split())
    one, other = ip_address("127.0.0.1"), ip_address("127.0.0.2")
    asked = FlowKey(source=one, destination=other, protocol=UDP, sport=8101, dport=8102)
    answer = FlowKey(source=other, destination=one, protocol=UDP, sport=8102, dport=8101)
    strange = FlowKey(source=one, destination=other, protocol=UDP, sport=1, dport=8101)

    with fresh(full) as state:
        found = [state.conntrack(key) for key in (asked, answer, strange)]

    assert isinstance(found[0], bytes)
    assert found[0] == found[1]
    assert found[2] is None
