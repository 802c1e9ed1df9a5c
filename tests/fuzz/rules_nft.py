"""Generated rules in the words of `nft -f`: base chains, sets, maps, verdict maps and what stands in rules."""

import re
from typing import Any

from hypothesis import strategies as st

NAT_HOOKS = {"prerouting": -100, "output": -100, "input": 100, "postrouting": 100}
OFFSETS = (-7, 3, 11, 0)
PRIORITIES = (-310, -250, -160, -140, -20, 0, 10, 60, 150)
SETS = {
    "ip": """ set nets { type ipv4_addr; flags interval; elements = { 10.77.0.0/25, 10.77.1.2, 10.77.2.0-10.77.2.9 } }
 set ports { type inet_service; elements = { 80, 53 } }
 set pairs { type ipv4_addr . inet_service; elements = { 10.77.1.2 . 80, 10.96.0.1 . 53, 10.96.0.1 . 80 } }
 set wide { type ipv4_addr . inet_service; flags interval; elements = { 10.77.1.0/24 . 1-100, 10.96.0.0/16 . 53 } }
 set seen { type ipv4_addr; flags dynamic,timeout; timeout 60s; size 1000; }
 map marks { type ipv4_addr : mark; flags interval; elements = { 10.77.0.0/24 : 0x10, 10.77.3.2 : 0x20 } }
 map ends { type inet_service : ipv4_addr; elements = { 80 : 10.77.1.2, 53 : 10.77.3.3 } }
 map places { type inet_service : ipv4_addr . inet_service; elements = { 80 : 10.77.1.3 . 8080, 53 : 10.77.1.2 . 53 } }
""",
    "ip6": """ set nets { type ipv6_addr; flags interval; elements = { fd77::/65, fd77:1::2, fd77:2::-fd77:2::9 } }
 set ports { type inet_service; elements = { 80, 53 } }
 set pairs { type ipv6_addr . inet_service; elements = { fd77:1::2 . 80, fd96::1 . 53, fd96::1 . 80 } }
 set wide { type ipv6_addr . inet_service; flags interval; elements = { fd77:1::/64 . 1-100, fd96::/16 . 53 } }
 set seen { type ipv6_addr; flags dynamic,timeout; timeout 60s; size 1000; }
 map marks { type ipv6_addr : mark; flags interval; elements = { fd77::/64 : 0x10, fd77:3::2 : 0x20 } }
 map ends { type inet_service : ipv6_addr; elements = { 80 : fd77:1::2, 53 : fd77:3::3 } }
 map places { type inet_service : ipv6_addr . inet_service; elements = { 80 : fd77:1::3 . 8080, 53 : fd77:1::2 . 53 } }
""",
}
ADDRESSES = {
    "ip": ("10.77.0.2", "10.77.1.2", "10.77.0.0/24", "10.96.0.1", "10.77.2.0/23", "10.77.0.1", "10.77.1.1-10.77.2.2",
           "{ 10.77.0.2, 10.77.1.3 }", "{ 10.77.0.0/24, 10.96.0.0-10.96.0.9 }", "@nets"),
    "ip6": ("fd77::2", "fd77:1::2", "fd77::/64", "fd96::1", "fd77:2::/63", "fd77::1", "fd77:1::1-fd77:2::2",
            "{ fd77::2, fd77:1::3 }", "{ fd77::/64, fd96::-fd96::9 }", "@nets"),
}  # fmt: skip


def _signs(name: str, options: Any) -> list[str]:
    return [f"{name} {sign}{each}" for each in options for sign in ("", "!= ")]


def _matches(family: str) -> list[str]:
    found = _signs(f"{family} saddr", ADDRESSES[family]) + _signs(f"{family} daddr", ADDRESSES[family])
    for name in ("tcp", "udp", "th", "sctp"):
        ports = ("80", "53-443", "{ 80, 8080 }", "{ 1-100, 8000-9000 }", "@ports")
        if name == "th":
            found += [f"meta l4proto {{ tcp, udp }} {each}" for each in _signs("th dport", ports)]
        else:
            found += [*_signs(f"{name} dport", ports), f"{name} sport > 1024", f"{name} sport <= 1024"]
    found += _signs("meta mark", ("0x1", "0x10-0x20", "{ 0x1, 0x10 }"))
    found += [f"meta mark & 0xf0 {c}" for c in ("== 0x10", "!= 0x10")] + ["meta mark and 0x1 != 0"]
    found += _signs("ct state", ("new", "established", "{ new, invalid }", "invalid", "untracked"))
    found += ["ct state new,established", "ct status dnat", "ct status != dnat", "ct status snat"]
    found += [*_signs("ct mark", ("0x3", "0x0")), "ct direction original", "ct direction reply"]
    found += [f"ct original {family} daddr {a}" for a in ADDRESSES[family][:4]]
    found += _signs(
        "meta l4proto", ("tcp", "udp", "{ tcp, sctp }", "icmp" if family == "ip" else "ipv6-icmp")
    )
    found += _signs("meta length", ("28", "< 60", "40-100")) + _signs(
        "meta pkttype", ("unicast", "multicast")
    )
    found += _signs("fib daddr type", ("local", "unicast", "{ local, broadcast }"))
    found += ["fib saddr type local", "fib saddr . iif oif missing", "fib saddr . iif oif exists"]
    found += ["fib daddr . iif type local"] if False else []
    found += [
        "tcp flags syn",
        "tcp flags & (syn | ack) == syn",
        "tcp flags != syn",
        "tcp flags syn / syn,rst,ack",
    ]
    found += [f"{family} daddr . th dport @pairs", f"{family} daddr . th dport @wide"]
    found += [
        f"{family} daddr . th dport != @pairs",
        f"{family} saddr . meta l4proto {{ {ADDRESSES[family][0]} . udp }}",
    ]
    found += [
        "numgen random mod 2 0",
        "limit rate 1/second",
        "counter",
        "jhash ip saddr mod 2 0" if family == "ip" else "counter",
    ]
    if family == "ip":
        found += (
            _signs("ip ttl", ("64", "< 10", "63")) + _signs("ip dscp", ("ef", "cs0")) + ["ip protocol udp"]
        )
        found += [
            *_signs("icmp type", ("echo-request", "{ echo-reply, echo-request }")),
            "ip frag-off & 0x1fff == 0",
        ]
        found += ["@nh,72,8 17", "@th,16,16 80", "ip length 28", "ip version 4", "ip hdrlength 5"]
    else:
        found += _signs("ip6 hoplimit", ("64", "< 10", "63")) + _signs("ip6 dscp", ("ef", "cs0"))
        found += [*_signs("icmpv6 type", ("echo-request", "{ echo-reply, echo-request }")), "ip6 nexthdr tcp"]
        found += ["exthdr frag exists", "@th,16,16 80", "ip6 version 6"]
    return found


MATCHES = {family: _matches(family) for family in ("ip", "ip6")}
DEVICES_IN = _signs("iifname", ('"r0"', '"r*"', '{ "r0", "br0" }')) + _signs("iif", ('"r0"',))
DEVICES_OUT = _signs("oifname", ('"r1"', '"r*"', '{ "r1", "br0" }')) + _signs("oif", ('"r1"',))
OWNERS = ["meta skuid 0", "meta skuid != 0", "meta skgid 0"]
SETTERS = {
    "ip": ("meta mark set 0x1", "meta mark set 0x10", "meta mark set meta mark | 0x20", "meta mark set meta mark ^ 0x3",
           "meta mark set ct mark", "ct mark set 0x3", "ct mark set meta mark", "ct mark set ct mark | 0x20",
           "meta mark set ip saddr map @marks", "meta mark set ip daddr map @marks",
           "meta mark set meta mark & 0xf", "add @seen { ip saddr }", "update @seen { ip daddr }", "counter",
           "meta mark set tcp dport map { 80 : 0x1, 53 : 0x10 }", "meta priority set 1:2", "notrack", "log group 44"),
    "ip6": ("meta mark set 0x1", "meta mark set 0x10", "meta mark set meta mark | 0x20", "meta mark set ct mark",
            "ct mark set 0x3", "ct mark set meta mark", "meta mark set ip6 saddr map @marks",
            "meta mark set ip6 daddr map @marks", "add @seen { ip6 saddr }", "counter", "notrack"),
}  # fmt: skip
MANGLERS = {"ip": ("ip dscp set ef", "ip ttl set 40"), "ip6": ("ip6 hoplimit set 40",)}
REJECTS = {
    "ip": ("reject", "reject with icmp type host-unreachable", "reject with icmp type admin-prohibited",
           "meta l4proto tcp reject with tcp reset", "reject with icmp type net-unreachable"),
    "ip6": ("reject", "reject with icmpv6 type no-route", "reject with icmpv6 type admin-prohibited",
            "meta l4proto tcp reject with tcp reset", "reject with icmpv6 type addr-unreachable"),
}  # fmt: skip
VMAPS = {
    "ip": ("ip saddr vmap { 10.77.0.2 : accept, 10.77.1.0/24 : drop, 10.77.3.2 : jump later }",
           "tcp dport vmap { 80 : jump later, 53 : drop, 443 : return }", "udp dport vmap { 53 : goto later, 80-90 : accept }",
           "meta mark vmap { 0x1 : drop, 0x10 : jump later }", "ct state vmap { new : jump later, established : accept, invalid : drop }",
           "ip daddr . udp dport vmap { 10.96.0.1 . 80 : drop, 10.77.1.2 . 53 : goto later }",
           "numgen random mod 2 vmap { 0 : jump later, 1 : accept }", "meta l4proto vmap { tcp : jump later, udp : continue }"),
    "ip6": ("ip6 saddr vmap { fd77::2 : accept, fd77:1::/64 : drop, fd77:3::2 : jump later }",
            "tcp dport vmap { 80 : jump later, 53 : drop, 443 : return }", "udp dport vmap { 53 : goto later, 80-90 : accept }",
            "meta mark vmap { 0x1 : drop, 0x10 : jump later }", "ct state vmap { new : jump later, established : accept, invalid : drop }"),
}  # fmt: skip
DESTINATIONS = {
    "ip": ("dnat to 10.77.1.2", "dnat to 10.77.3.3", "dnat to 10.78.0.1", "dnat to 10.77.1.2-10.77.1.4", "redirect",
           "tcp dport 80 dnat to 10.77.1.2:8080", "udp dport 53 dnat to :80", "tcp dport 80 redirect to :8080",
           "dnat to tcp dport map @ends", "dnat to udp dport map @ends", "dnat to tcp dport map @places",
           "dnat to udp dport map @places", "dnat prefix to ip daddr map { 10.96.0.0/24 : 10.77.2.0/24 }",
           "dnat to numgen random mod 2 map { 0 : 10.77.1.2, 1 : 10.77.1.3 }"),
    "ip6": ("dnat to fd77:1::2", "dnat to fd77:3::3", "dnat to fd78::1", "redirect", "tcp dport 80 dnat to [fd77:1::2]:8080",
            "tcp dport 80 redirect to :8080", "dnat to tcp dport map @ends", "dnat to udp dport map @places"),
}  # fmt: skip
SOURCES = {
    "ip": ("snat to 10.77.1.1", "snat to 10.78.0.9", "snat to 10.78.0.1-10.78.0.3", "tcp dport 80 snat to 10.77.1.1:3000",
           "udp dport 53 snat to 10.78.0.9:1024-2048"),
    "ip6": ("snat to fd77:1::1", "snat to fd78::9", "tcp dport 80 snat to [fd77:1::1]:3000"),
}  # fmt: skip
MASQUERADES = ("masquerade", "meta l4proto tcp masquerade to :1024-2000", "masquerade random")
VERDICTS = ("accept", "drop", "return", "jump later", "goto later", "jump last")


def _rule(draw: Any, family: str, hook: str, kind: str, name: str) -> str:
    words = draw(st.lists(st.sampled_from(MATCHES[family]), max_size=2))
    place = draw(st.integers(0, 9))
    if place == 0 and hook in {"prerouting", "input", "forward", "postrouting"}:
        words.insert(0, draw(st.sampled_from(DEVICES_IN)))
    elif place == 1 and hook in {"output", "postrouting", "forward"}:
        words.insert(0, draw(st.sampled_from(DEVICES_OUT)))
    elif place == 2 and hook in {"output", "postrouting"}:
        words.insert(0, draw(st.sampled_from(OWNERS)))
    return "; ".join(["  " + " ".join([*words, _action(draw, family, hook, kind, name)])]) + "\n"


def _action(draw: Any, family: str, hook: str, kind: str, name: str) -> str:
    choice = draw(st.integers(0, 9))
    if kind == "nat" and choice < 6:
        if hook in {"prerouting", "output"}:
            return str(draw(st.sampled_from(DESTINATIONS[family])))
        options = SOURCES[family] + (MASQUERADES if hook == "postrouting" else ())
        return str(draw(st.sampled_from(options)))
    if choice < 3:
        text = str(draw(st.sampled_from(SETTERS[family])))
        allowed = text != "notrack" or hook in {"prerouting", "output"}
        return text if allowed else "counter"
    if choice == 3 and kind != "nat":
        return str(draw(st.sampled_from(MANGLERS[family])))
    if choice == 4 and kind == "filter" and hook in {"input", "forward", "output"}:
        return str(draw(st.sampled_from(REJECTS[family])))
    if choice == 5:
        text = str(draw(st.sampled_from(VMAPS[family])))
    else:
        text = str(draw(st.sampled_from(VERDICTS)))
    if kind == "nat" and text == "drop":
        text = "return"  # a nat chain in which nothing translates does not even switch connection tracking on
    return _onward(text, name)


def _onward(text: str, name: str) -> str:
    """A chain leads only to those of its own hook, and never back."""
    if name.endswith("last"):
        return "accept" if "later" in text or "last" in text else text
    if name.endswith("later"):
        return (
            text.replace("later", name.replace("later", "last"))
            if "later" in text
            else text.replace("jump last", f"jump {name.replace('later', 'last')}")
        )
    return text.replace("jump last", f"jump {name}_last").replace("later", f"{name}_later")


@st.composite
def table(draw: Any, family: str, number: int) -> str:
    """One table with one to three base chains; in a table of both families, rules of one and of none."""
    kinds = draw(st.lists(st.sampled_from(("filter", "filter", "nat", "route")), min_size=1, max_size=3))
    spoken = draw(st.sampled_from(("ip", "ip6"))) if family == "inet" else family
    text = ""
    for index, kind in enumerate(kinds):
        hooks = {"filter": ("prerouting", "forward", "input", "output", "postrouting"), "route": ("output",)}
        hook = draw(st.sampled_from(hooks.get(kind, tuple(NAT_HOOKS))))
        name = f"c{index}"
        if kind == "nat":
            priority = NAT_HOOKS[hook] + draw(st.sampled_from(OFFSETS))
        else:
            priority = draw(st.sampled_from(PRIORITIES)) + draw(st.sampled_from(OFFSETS))
        policy = "drop" if kind == "filter" and draw(st.integers(0, 9)) == 0 else "accept"
        for suffix in ("_last", "_later"):
            rules = [_rule(draw, spoken, hook, kind, name + suffix) for _ in range(draw(st.integers(0, 2)))]
            text += f" chain {name}{suffix} {{\n{''.join(rules)} }}\n"
        rules = [_rule(draw, spoken, hook, kind, name) for _ in range(draw(st.integers(0, 4)))]
        text += f" chain {name} {{\n  type {kind} hook {hook} priority {priority}; policy {policy};\n{''.join(rules)} }}\n"
    if family == "inet":
        text = re.sub(r"\b(dnat|snat) (prefix )?to\b", rf"\1 {spoken} \2to", text)
    return f"table {family} t{number}{family} {{\n{SETS[spoken]}{text}}}\n"


@st.composite
def ruleset(draw: Any) -> str:
    """One to three tables."""
    families = draw(st.lists(st.sampled_from(("ip", "ip", "ip6", "inet")), min_size=1, max_size=3))
    return "".join(draw(table(family, number)) for number, family in enumerate(families))
