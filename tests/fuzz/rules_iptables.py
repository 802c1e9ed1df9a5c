"""Generated rules in the words of `iptables-restore`, for both back ends and both families.

Each list holds whole options: a draw is one choice, so generating stays cheap and shrinks to the first entry.
"""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

HOOKS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "OUTPUT", "INPUT", "POSTROUTING"),
    "filter": ("FORWARD", "INPUT", "OUTPUT"),
}
INCOMING = {"PREROUTING", "INPUT", "FORWARD"}
OUTGOING = {"OUTPUT", "FORWARD", "POSTROUTING"}
MARKS = ("0x1", "0x10/0xf0", "0x3/0xff", "0x0/0x1", "0x20/0x20")
STATES = ("NEW", "ESTABLISHED", "RELATED,ESTABLISHED", "INVALID", "UNTRACKED", "DNAT", "SNAT", "NEW,INVALID")
PORTS = ("80", "53", "8080", "1:1024", "40000:65535", "443")

ADDRESSES = {
    4: ("10.77.0.2", "10.77.1.2", "10.77.0.0/24", "10.77.1.0/24", "10.77.3.0/24", "10.77.0.1", "10.96.0.1",
        "10.96.0.0/16", "0.0.0.0/1", "10.77.2.0/255.255.254.0", "10.0.0.2/255.0.0.255", "10.78.0.1"),
    6: ("fd77::2", "fd77:1::2", "fd77::/64", "fd77:1::/64", "fd77:3::/64", "fd77::1", "fd96::1",
        "fd96::/16", "8000::/1", "fd77:1::/62", "::2/::ffff", "fd78::1"),
}  # fmt: skip
RANGES = {4: ("10.77.0.2-10.77.0.4", "10.77.1.1-10.77.3.3"), 6: ("fd77::2-fd77::4", "fd77:1::1-fd77:3::3")}
SETS = {
    4: """create nets4 hash:net
create hosts4 hash:ip
create served4 hash:ip,port
create netports4 hash:net,port
create triples4 hash:ip,port,ip
create devices4 hash:net,iface
create all4 list:set
create ports4 bitmap:port range 0-9000
add nets4 10.77.0.0/24
add nets4 10.77.1.128/25
add nets4 10.77.0.3 nomatch
add hosts4 10.77.1.2
add hosts4 10.96.0.1
add hosts4 10.77.3.2
add served4 10.77.1.2,tcp:80
add served4 10.96.0.1,udp:53
add served4 10.77.1.3,sctp:8080
add served4 10.77.0.1,icmp:8/0
add netports4 10.77.0.0/22,tcp:443
add netports4 10.96.0.0/16,udp:80
add triples4 10.77.1.2,tcp:8080,10.77.0.2
add triples4 10.77.0.2,udp:53,10.77.1.2
add devices4 10.77.0.0/24,r0
add devices4 10.77.1.0/24,r1
add all4 nets4
add all4 hosts4
add ports4 80
add ports4 53
""",
    6: """create nets6 hash:net family inet6
create hosts6 hash:ip family inet6
create served6 hash:ip,port family inet6
create netports6 hash:net,port family inet6
create all6 list:set
add nets6 fd77::/64
add nets6 fd77:1::/126
add nets6 fd77::3 nomatch
add hosts6 fd77:1::2
add hosts6 fd96::1
add served6 fd77:1::2,tcp:80
add served6 fd96::1,udp:53
add served6 fd77::1,ipv6-icmp:128/0
add netports6 fd77:1::/64,tcp:443
add netports6 fd96::/16,udp:80
add all6 nets6
add all6 hosts6
""",
}
"""For `ipset restore`: the sets that rules of a family may name."""
LOOKUPS = {
    4: ("nets4 src", "nets4 dst", "hosts4 src", "hosts4 dst", "served4 dst,dst", "served4 src,src", "served4 dst,src",
        "netports4 dst,dst", "netports4 src,dst", "triples4 dst,dst,src", "triples4 src,dst,dst", "devices4 src,src",
        "all4 src", "all4 dst", "ports4 dst", "ports4 src", "nets4 dst --return-nomatch"),
    6: ("nets6 src", "nets6 dst", "hosts6 src", "hosts6 dst", "served6 dst,dst", "served6 src,src", "netports6 dst,dst",
        "all6 src", "all6 dst", "nets6 dst --return-nomatch"),
}  # fmt: skip


def _either(options: tuple[str, ...] | list[str], name: str) -> list[str]:
    return [f"{sign}{name} {each}" for each in options for sign in ("", "! ")]


def _general(family: int) -> list[str]:
    addresses, ranges = ADDRESSES[family], RANGES[family]
    found = _either(addresses, "-s") + _either(addresses, "-d")
    found += [f"-m mark {m}" for m in _either(MARKS, "--mark")]
    found += [f"-m connmark {m}" for m in _either(MARKS, "--mark")]
    found += [f"-m conntrack {m}" for m in _either(STATES, "--ctstate")]
    found += [
        f"-m conntrack {m}" for m in _either(("NONE", "CONFIRMED", "SEEN_REPLY", "ASSURED"), "--ctstatus")
    ]
    found += [f"-m conntrack {m}" for m in _either(addresses[:4], "--ctorigsrc")]
    found += [f"-m conntrack {m}" for m in _either(addresses[:8], "--ctorigdst")]
    found += [f"-m conntrack {m}" for m in _either(addresses[:4], "--ctreplsrc")]
    found += [f"-m conntrack --ctdir {m}" for m in ("ORIGINAL", "REPLY")]
    found += [f"-m state --state {m}" for m in ("NEW", "INVALID")]
    found += [f"-m set {m}" for m in _either(LOOKUPS[family], "--match-set")]
    found += [f"-m iprange {m}" for kind in ("src", "dst") for m in _either(ranges, f"--{kind}-range")]
    found += [f"-m length {m}" for m in _either(("28", "0:60", "61:65535", "40"), "--length")]
    found += [f"-m dscp {m}" for m in _either(("0x00", "0x2e"), "--dscp")]
    found += [f"-m tos {m}" for m in _either(("0x10/0xff", "0x00/0x3f"), "--tos")]
    found += [f"-m addrtype {m}" for m in _either(("LOCAL", "UNICAST", "MULTICAST,LOCAL"), "--dst-type")]
    found += [f"-m addrtype {m}" for m in _either(("LOCAL", "UNICAST"), "--src-type")]
    found += [f"-m pkttype {m}" for m in _either(("unicast", "multicast"), "--pkt-type")]
    found += ["-m comment --comment word", "-m statistic --mode random --probability 0.5"]
    found += ["-m limit --limit 1/sec", "-m socket", "-m cpu --cpu 0", "-m connlabel --label 3"]
    if family == 4:
        found += [f"-m ttl --ttl-{how}" for how in ("eq 64", "lt 5", "gt 60", "eq 63")]
        found += ["-m ttl ! --ttl-eq 64", "-f", "! -f", "-m realm --realm 0x0", "-m u32 --u32 6&0xFF=6"]
    else:
        found += [f"-m hl --hl-{how}" for how in ("eq 64", "lt 5", "gt 60", "eq 63")] + ["-m frag --fragid 1"]
    return found


def _protocols(family: int) -> list[str]:
    found = []
    for name in ("tcp", "udp", "sctp"):
        found += [f"-p {name}", f"! -p {name}"]
        found += [f"-p {name} -m {name} {m}" for m in _either(PORTS, "--dport")]
        found += [f"-p {name} -m {name} {m}" for m in _either(PORTS[3:5], "--sport")]
        for kind in ("--dports", "--ports", "--sports"):
            found += [f"-p {name} -m multiport {m}" for m in _either(("80,443", "53,1000:9000"), kind)]
    found += ["-p tcp -m tcp --syn", "-p tcp -m tcp ! --syn", "-p tcp -m tcp --tcp-flags ALL ACK"]
    found += ["-p tcp -m tcp ! --tcp-flags SYN,RST SYN", "-p tcp -m tcpmss --mss 1:1000"]
    found += ["-p tcp -m ecn --ecn-tcp-cwr", "-p sctp -m sctp --chunk-types any INIT"]
    found += [
        f"-p {n} -m conntrack --ctproto {p} {m}"
        for n, p in (("tcp", 6), ("udp", 17))
        for m in _either(("80", "53:8080"), "--ctorigdstport")
    ]
    kinds = ("8", "0", "3", "3/3", "any") if family == 4 else ("128", "129", "1", "1/3")
    name, match = ("icmp", "icmp") if family == 4 else ("ipv6-icmp", "icmp6")
    option = "--icmp-type" if family == 4 else "--icmpv6-type"
    found += [f"-p {name}", f"! -p {name}"] + [f"-p {name} -m {match} {m}" for m in _either(kinds, option)]
    return found


GENERAL = {family: _general(family) for family in (4, 6)}
PROTOCOLS = {family: _protocols(family) for family in (4, 6)}
DEVICES_IN = [f"{sign}-i {name}" for name in ("r0", "r1", "r+", "br0", "lo") for sign in ("", "! ")]
DEVICES_OUT = [f"{sign}-o {name}" for name in ("r1", "r2", "r+", "br0", "lo") for sign in ("", "! ")]
PHYSDEV = [f"-m physdev {m}" for m in ("--physdev-is-bridged", "! --physdev-is-bridged", "--physdev-in p0",
                                       "! --physdev-in p0", "--physdev-is-in")]  # fmt: skip
MACS = [f"-m mac {m}" for m in _either(("02:00:00:00:01:02", "02:00:00:00:04:02"), "--mac-source")]
OWNERS = [
    f"-m owner {m}" for m in ("--uid-owner 0", "! --uid-owner 0", "--uid-owner 1000", "--socket-exists")
]
RPFILTER = [f"-m rpfilter{m}" for m in ("", " --invert", " --loose", " --loose --invert")]

VERDICTS = ("ACCEPT", "DROP", "RETURN")
SETTERS = (
    "MARK --set-xmark 0x1/0xffffffff", "MARK --or-mark 0x20", "MARK --and-mark 0xf0", "MARK --xor-mark 0x3",
    "MARK --set-xmark 0x10/0xf0", "CONNMARK --set-xmark 0x3/0xff", "CONNMARK --save-mark",
    "CONNMARK --restore-mark", "CONNMARK --save-mark --nfmask 0xf0 --ctmask 0xf0",
    "CONNMARK --restore-mark --nfmask 0x0f --ctmask 0xff", "CONNMARK --or-mark 0x20",
)  # fmt: skip
ONLY_MANGLE = {
    4: ("DSCP --set-dscp 0x2e", "TOS --set-tos 0x10/0x3f", "TTL --ttl-set 40", "TTL --ttl-dec 1",
        "CLASSIFY --set-class 1:2"),
    6: ("DSCP --set-dscp 0x2e", "TOS --set-tos 0x10/0x3f", "HL --hl-set 40", "HL --hl-dec 1",
        "CLASSIFY --set-class 1:2"),
}  # fmt: skip
REJECTS = {
    4: [f"REJECT --reject-with {w}" for w in (
        "icmp-port-unreachable", "icmp-net-unreachable", "icmp-host-unreachable", "icmp-proto-unreachable",
        "icmp-net-prohibited", "icmp-host-prohibited", "icmp-admin-prohibited")],
    6: [f"REJECT --reject-with {w}" for w in (
        "icmp6-port-unreachable", "icmp6-no-route", "icmp6-adm-prohibited", "icmp6-addr-unreachable",
        "icmp6-policy-fail", "icmp6-reject-route")],
}  # fmt: skip
DESTINATIONS = {
    4: ("DNAT --to-destination 10.77.1.2", "DNAT --to-destination 10.77.3.3", "DNAT --to-destination 10.77.0.3",
        "DNAT --to-destination 10.78.0.1", "DNAT --to-destination 10.77.1.2-10.77.1.4",
        "NETMAP --to 10.77.2.0/24", "NETMAP --to 10.77.0.0/22"),
    6: ("DNAT --to-destination fd77:1::2", "DNAT --to-destination fd77:3::3", "DNAT --to-destination fd77::3",
        "DNAT --to-destination fd78::1", "DNAT --to-destination fd77:1::2-fd77:1::4",
        "NETMAP --to fd77:2::/64"),
}  # fmt: skip
DESTINATION_PORTS = {
    4: ("DNAT --to-destination 10.77.1.2:8080", "DNAT --to-destination 10.77.1.3:8000-8010", "DNAT --to-destination :443",
        "REDIRECT", "REDIRECT --to-ports 8080", "REDIRECT --to-ports 50-60"),
    6: ("DNAT --to-destination [fd77:1::2]:8080", "DNAT --to-destination [fd77:1::3]:8000-8010",
        "REDIRECT", "REDIRECT --to-ports 8080"),
}  # fmt: skip
SOURCES = {
    4: ("SNAT --to-source 10.77.1.1", "SNAT --to-source 10.78.0.9", "SNAT --to-source 10.78.0.1-10.78.0.3",
        "NETMAP --to 10.78.5.0/24"),
    6: ("SNAT --to-source fd77:1::1", "SNAT --to-source fd78::9", "SNAT --to-source fd78::1-fd78::3",
        "NETMAP --to fd78:5::/64"),
}  # fmt: skip
SOURCE_PORTS = {
    4: ("SNAT --to-source 10.77.1.1:3000", "SNAT --to-source :1024-2048"),
    6: ("SNAT --to-source [fd77:1::1]:3000", "SNAT --to-source [fd78::9]:1024-2048"),
}


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain, and from which hooks it may be reached."""

    name: str
    hooks: frozenset[str]
    later: tuple[str, ...]
    """Chains that it may jump to."""


def _chains(table: str) -> list[Chain]:
    """The built-in ones, and two more for each side of NAT."""
    if table == "nat":
        sides = {"PREROUTING": "DST", "OUTPUT": "DST", "INPUT": "INP", "POSTROUTING": "SRC"}
    else:
        sides = dict.fromkeys(HOOKS[table], "ANY")
    found = [Chain(hook, frozenset({hook}), (f"{side}1", f"{side}2")) for hook, side in sides.items()]
    for side in dict.fromkeys(sides.values()):
        hooks = frozenset(hook for hook, which in sides.items() if which == side)
        found += [Chain(f"{side}1", hooks, (f"{side}2",)), Chain(f"{side}2", hooks, ())]
    return found


CHAINS = {table: _chains(table) for table in HOOKS}


def _matches(draw: Any, table: str, chain: Chain, family: int, nat_ports: bool) -> list[str]:
    words = []
    choice = draw(st.integers(0, 9))
    if nat_ports:
        name = draw(st.sampled_from(("tcp", "udp", "sctp")))
        words.append(f"-p {name}")
        if choice < 5:
            words[-1] += f" -m {name} --dport {draw(st.sampled_from(PORTS))}"
    elif choice < 4:
        words.append(draw(st.sampled_from(PROTOCOLS[family])))
    if 2 < choice < 9:
        words.append(draw(st.sampled_from(GENERAL[family])))
    if choice in {6, 7}:
        words += _special(draw, table, chain)
    if choice == 8:
        other = draw(st.sampled_from(GENERAL[family]))
        if not words or not set(other.split()[:-1]) & set(words[-1].split()):
            words.append(other)
    return words


def _special(draw: Any, table: str, chain: Chain) -> list[str]:
    options = [*PHYSDEV]
    if chain.hooks <= INCOMING:
        options += DEVICES_IN + MACS
    if chain.hooks <= OUTGOING:
        options += DEVICES_OUT
    if chain.hooks <= {"OUTPUT", "POSTROUTING"}:
        options += OWNERS
    if chain.hooks == {"PREROUTING"} and table in {"raw", "mangle"}:
        options += RPFILTER
    return [draw(st.sampled_from(options))]


def _target(draw: Any, table: str, chain: Chain, family: int) -> tuple[str, bool]:
    """The target's words, and whether it needs a protocol with ports."""
    choice = draw(st.integers(0, 9))
    if table == "nat":
        if choice < 6:
            return _translation(draw, chain, family)
        if choice < 8 and chain.later:
            return f"-j {draw(st.sampled_from(chain.later))}", False
        return f"-j {draw(st.sampled_from(('ACCEPT', 'RETURN', *SETTERS)))}", False
    if chain.later and choice < 3:
        return f"{draw(st.sampled_from(('-j', '-j', '-g')))} {draw(st.sampled_from(chain.later))}", False
    if choice < 5:
        return f"-j {draw(st.sampled_from(VERDICTS))}", False
    if table == "raw" and choice < 7:
        return "-j CT --notrack", False
    if table == "filter" and choice < 8:
        return f"-j {draw(st.sampled_from(REJECTS[family]))}", False
    if table == "mangle" and choice < 7:
        return f"-j {draw(st.sampled_from(ONLY_MANGLE[family]))}", False
    return f"-j {draw(st.sampled_from(SETTERS))}", False


def _translation(draw: Any, chain: Chain, family: int) -> tuple[str, bool]:
    ports = draw(st.booleans())
    if chain.hooks <= {"PREROUTING", "OUTPUT"}:
        options: tuple[str, ...] = DESTINATION_PORTS[family] if ports else DESTINATIONS[family]
    elif ports:
        options = SOURCE_PORTS[family]
    else:
        options = SOURCES[family] + (("MASQUERADE",) if chain.hooks == {"POSTROUTING"} else ())
    if ports and chain.hooks == {"POSTROUTING"}:
        options += ("MASQUERADE --to-ports 1024-2000", "MASQUERADE --random")
    return f"-j {draw(st.sampled_from(options))}", ports


@st.composite
def rule(draw: Any, table: str, chain: Chain, family: int) -> str:
    """One `-A` line."""
    target, ports = _target(draw, table, chain, family)
    words = _matches(draw, table, chain, family, ports)
    if "tcp-reset" not in target and "REJECT" in target and draw(st.integers(0, 3)) == 0:
        words, target = ["-p tcp"], "-j REJECT --reject-with tcp-reset"
    return f"-A {chain.name} {' '.join(words)} {target}\n".replace("  ", " ")


@st.composite
def table_text(draw: Any, table: str, family: int) -> str:
    """One table for `iptables-restore`."""
    lines, policies = [], []
    for chain in CHAINS[table]:
        built_in = chain.name in HOOKS[table]
        policy = "-"
        if built_in:
            drops = table != "nat" and draw(st.integers(0, 11)) == 0
            policy = "DROP" if drops else "ACCEPT"
        policies.append(f":{chain.name} {policy}\n")
        most = 3 if built_in else 2
        lines += draw(st.lists(rule(table, chain, family), max_size=most))
    return f"*{table}\n{''.join(policies)}{''.join(lines)}COMMIT\n"


@st.composite
def ruleset(draw: Any, family: int) -> str:
    """Some of the four tables."""
    tables = draw(st.lists(st.sampled_from(("filter", "nat", "mangle", "raw")), unique=True, max_size=3))
    return "".join(draw(table_text(table, family)) for table in tables)
