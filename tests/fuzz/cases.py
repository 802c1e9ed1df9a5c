"""Whole cases: rules of all back ends side by side, settings, policy routing, and packets that may meet them."""

from typing import Any

from fuzz import rules_iptables, rules_nft
from fuzz.case import Case, Shot
from fuzz.ground import mac
from hypothesis import strategies as st

TARGETS = {
    4: ("10.77.1.2", "10.77.1.3", "10.77.2.2", "10.77.0.1", "10.77.1.1", "10.96.0.1", "10.96.0.1", "10.77.3.2",
        "10.77.0.3", "10.78.0.1", "10.99.0.1", "8.8.8.8", "10.77.1.129"),
    6: ("fd77:1::2", "fd77:1::3", "fd77:2::2", "fd77::1", "fd77:1::1", "fd96::1", "fd96::1", "fd77:3::2",
        "fd77::3", "fd78::1", "fd99::1", "2001:db8::1"),
}  # fmt: skip
SOURCES: dict[str, dict[int, tuple[str, ...]]] = {
    "r0": {4: ("10.77.0.2", "10.77.0.3", "10.77.1.2", "192.0.2.7", "10.77.0.1"), 6: ("fd77::2", "fd77::3", "2001:db8::7")},
    "r1": {4: ("10.77.1.2", "10.77.1.3", "10.77.0.2"), 6: ("fd77:1::2", "fd77:1::3")},
    "r2": {4: ("10.77.2.2", "8.8.8.8"), 6: ("fd77:2::2", "2001:db8::1")},
    "p0": {4: ("10.77.3.2", "10.77.3.4"), 6: ("fd77:3::2", "fd77:3::4")},
    "p1": {4: ("10.77.3.3",), 6: ("fd77:3::3",)},
    "": {4: ("", "", "10.77.1.1", "10.78.0.1"), 6: ("", "", "fd77:1::1", "fd78::1")},
}  # fmt: skip
BRIDGED = {4: ("10.77.3.2", "10.77.3.3", "10.77.3.5"), 6: ("fd77:3::2", "fd77:3::3", "fd77:3::5")}
SETTINGS: tuple[tuple[tuple[str, ...], tuple[int, ...]], ...] = (
    (("net/ipv4/ip_forward",), (0,)),
    (("net/ipv6/conf/all/forwarding",), (0,)),
    (("net/ipv4/conf/all/rp_filter",), (1, 2)),
    (("net/ipv4/conf/r0/rp_filter",), (1, 2)),
    (("net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"), (1,)),
    (("net/ipv4/conf/all/route_localnet",), (1,)),
    (("net/ipv4/conf/all/accept_local",), (1,)),
    (("net/ipv4/conf/all/src_valid_mark",), (1,)),
    (("net/netfilter/nf_conntrack_tcp_loose",), (0,)),
)
ROUTES = (
    ("rule add fwmark 0x10/0xf0 table 100 pref 1000",),
    ("rule add from 10.77.0.0/24 table 100 pref 1001",),
    ("rule add iif r0 table 100 pref 1002",),
    ("rule add to 10.96.0.0/16 table 100 pref 1003",),
    ("rule add fwmark 0x1 blackhole pref 1004",),
    ("rule add not fwmark 0x1/0x1 table 100 pref 1005",),
    ("rule add iif r0 ipproto udp dport 53 table 100 pref 1006",),
    ("rule add fwmark 0x3/0xff prohibit pref 1007",),
    ("rule add iif r1 unreachable pref 1008",),
    ("rule add pref 1009 table main suppress_prefixlength 0",),
    ("-6 rule add fwmark 0x10/0xf0 table 100 pref 1000",),
    ("-6 rule add iif r0 table 100 pref 1002",),
    ("-6 rule add fwmark 0x20/0x20 blackhole pref 1004",),
    ("-6 rule add from fd77:1::1 table 100 pref 1001",),
    ("-6 rule add from fd78::/64 table 100 pref 1003",),
    ("rule add from 10.78.0.1 table 100 pref 1010",),
)
TABLES = (
    ("route add default via 10.77.1.2 table 100",),
    ("route add blackhole 10.99.0.0/16 table 100",),
    ("route add unreachable 10.99.0.0/16",),
    ("route add prohibit 8.8.8.0/24",),
    ("route add throw 8.8.8.0/24 table 100",),
    ("route add 10.96.0.0/16 via 10.77.1.3",),
    ("route add local 10.96.0.0/16 dev lo",),
    ("-6 route add ::/0 via fd77:1::2 table 100",),
    ("-6 route add blackhole fd99::/16",),
    ("-6 route add fd96::/16 via fd77:1::3",),
    ("-6 route add fd99::/16 from fd77:1::/64 via fd77:1::2",),
    ("-6 route add 2001:db8::/32 from fd78::/64 via fd77:1::3",),
)


@st.composite
def shot(draw: Any) -> Shot:
    """One packet."""
    family = draw(st.sampled_from((4, 4, 6)))
    by = draw(st.sampled_from(("r0", "r0", "r0", "r1", "r2", "", "p0", "p0", "p1")))
    target = draw(st.sampled_from(TARGETS[family]))
    link = ""
    if by in {"p0", "p1"} and draw(st.booleans()):
        target = draw(st.sampled_from(BRIDGED[family]))
        host = int(target.rpartition("." if family == 4 else ":")[2])
        link = mac("br0", host) if draw(st.integers(0, 4)) else ""
    protocol = draw(
        st.sampled_from(("udp", "udp", "tcp", "tcp") if not by else ("udp", "tcp", "icmp", "sctp"))
    )
    return Shot(
        by=by,
        source=draw(st.sampled_from(SOURCES[by][family])),
        target=target,
        protocol=protocol,
        sport=draw(st.sampled_from((40001, 1024, 33333, 53) if by else (40001, 1024, 33333))),
        dport=draw(st.sampled_from((80, 53, 443, 8080, 9, 65000))),
        flags=draw(st.sampled_from(("S", "S", "S", "S", "A", "SA", "R"))) if by else "S",
        kind=draw(st.sampled_from((8, 8, 8, 0))),
        tos=draw(st.sampled_from((0, 0, 0, 0x10, 0xB8))) if by else 0,
        ttl=draw(st.sampled_from((64, 64, 64, 64, 3, 1))) if by else 64,
        size=draw(st.sampled_from((0, 0, 10, 200))) if protocol != "tcp" else 0,
        mark=0 if by else draw(st.sampled_from((0, 0, 0x1, 0x10, 0x20))),
        mac=link,
        again=draw(st.integers(0, 5)) == 0,
        answer=draw(st.integers(0, 4)) == 0,
    )


@st.composite
def cases(draw: Any, shots: int = 30) -> Case:
    """A router and what is sent through it."""
    parts = draw(
        st.sets(st.sampled_from(("legacy4", "legacy6", "nft4", "nft6", "native")), min_size=1, max_size=3)
    )
    settings: dict[str, int] = {}
    for keys, values in draw(st.lists(st.sampled_from(SETTINGS), max_size=2)):
        settings |= dict.fromkeys(keys, draw(st.sampled_from(values)))
    routes: tuple[str, ...] = ()
    if draw(st.integers(0, 2)) == 0:
        chosen = draw(st.lists(st.sampled_from(TABLES), unique=True, max_size=4))
        chosen += draw(st.lists(st.sampled_from(ROUTES), unique=True, max_size=2))
        routes = tuple(line for lines in chosen for line in lines)
    return Case(
        ipsets="".join(rules_iptables.SETS[n] for n in (4, 6) if parts & {f"legacy{n}", f"nft{n}"}),
        legacy4=draw(rules_iptables.ruleset(4)) if "legacy4" in parts else "",
        legacy6=draw(rules_iptables.ruleset(6)) if "legacy6" in parts else "",
        nft4=draw(rules_iptables.ruleset(4)) if "nft4" in parts else "",
        nft6=draw(rules_iptables.ruleset(6)) if "nft6" in parts else "",
        native=draw(rules_nft.ruleset()) if "native" in parts else "",
        sysctls=settings,
        routes=routes,
        shots=tuple(draw(st.lists(shot(), min_size=shots // 2, max_size=shots))),
    )
