"""Each expression decides as the kernel does: one rule each, real packets, and the rules' own counters."""

from collections.abc import Iterator

import pytest
from kernel.nftables.wire import Wire, facts_of, wires
from kernel.xtables.packets import PACKETS4, PACKETS6
from kernel.xtables.wire import Sent

from kubectl_packetpath.trace import StepKind
from kubectl_packetpath.walk.here import Hook

pytestmark = pytest.mark.kernel

BODIES = """
ip saddr 10.77.1.2
ip saddr != 10.77.1.2
ip daddr 10.77.2.0/24
ip daddr != 10.77.2.0/24
ip daddr 10.77.0.0/17
ip daddr & 255.0.255.255 == 10.0.2.2
ip saddr { 10.77.1.2, 10.77.1.3 }
ip saddr != { 10.77.1.2, 10.77.1.3 }
ip daddr { 10.77.2.0-10.77.2.5, 10.77.3.0/24 }
ip daddr != { 10.77.2.0-10.77.2.5, 10.77.3.0/24 }
ip daddr 10.77.2.1-10.77.2.9
ip daddr != 10.77.2.1-10.77.2.9
ip daddr . meta l4proto . th dport { 10.77.2.2 . tcp . 80, 10.77.2.2 . udp . 53 }
ip daddr . th dport { 10.77.2.0/24 . 80-90, 10.77.2.0/24 . 5353 }
ip daddr . th dport != { 10.77.2.0/24 . 80-90 }
ip daddr @addresses
ip daddr @networks
ip daddr != @networks
ip saddr . ip daddr @pairs
iifname . tcp dport @ports_of
ip protocol tcp
ip protocol { tcp, udp }
ip protocol != tcp
ip ttl 64
ip ttl < 10
ip ttl >= 64
ip length 40
ip length > 100
ip dscp ef
ip dscp != ef
ip dscp { ef, cs1 }
ip version 4
ip hdrlength 5
ip frag-off & 0x1fff == 0
ip frag-off & 0x4000 != 0
ip6 saddr fd77:1::2
ip6 daddr fd77:2::/64
ip6 daddr != fd77:2::2
ip6 daddr { fd77:2::2-fd77:2::10, fd77:5::/32 }
ip6 daddr . udp dport { fd77:2::2 . 53 }
ip6 nexthdr tcp
ip6 hoplimit 9
ip6 dscp cs2
ip6 length > 60
tcp dport 80
tcp dport != 80
tcp dport { 80, 443 }
tcp dport 50-100
tcp dport != 50-100
tcp dport > 80
tcp dport >= 80
tcp dport < 81
tcp sport 40001
tcp flags syn
tcp flags & (syn | ack) == syn
tcp flags & (fin | syn | rst | ack) == syn
tcp flags & (syn | ack) != syn | ack
tcp flags & (fin | rst) != 0
tcp flags { syn, ack }
tcp flags ! ack
udp dport 53
udp dport { 53, 5353 }
udp length > 100
udp sport 1-1024
sctp dport 53
th dport 53
th sport . th dport { 53 . 53 }
icmp type echo-request
icmp type { echo-reply, echo-request }
icmp code 4
icmp id 7
icmp type . icmp code { destination-unreachable . 4 }
icmpv6 type echo-request
icmpv6 id 11
meta l4proto tcp
meta l4proto { tcp, udp }
meta l4proto != { tcp, udp }
meta nfproto ipv4
meta nfproto ipv6
meta protocol ip
meta length > 60
meta mark 0
meta mark != 0
meta mark & 0x4000 == 0x4000
meta mark & 0x4000 == 0
meta mark and 0xff00 == 0
meta pkttype host
meta priority 0
iifname "r0"
iifname != "r0"
iifname "r*"
iifname "x*"
iifname { "r0", "lo" }
iif "r0"
oifname "r1"
oif "r1"
oifname != "r1"
iifname . oifname { "r0" . "r1" }
iiftype ether
iifgroup 0
iifgroup 7
iifgroup != 7
oifgroup 0
meta skuid 0
meta skuid != 0
ether saddr 02:00:00:00:01:02
ether saddr != 02:00:00:00:01:02
ether type ip
ct state new
ct state established,related
ct state { new, established }
ct state invalid
ct state != invalid
ct state & (new | invalid) == 0
ct state untracked
ct direction original
ct mark 0
ct mark & 0xff != 0
ct status dnat
ct status & snat == 0
ct original ip saddr 10.77.1.2
tcp dport 80 ct original proto-dst 80
tcp dport 80 ct reply proto-src 80
ct protocol tcp
ct zone 0
ct l3proto ipv4
fib daddr type local
fib daddr type unicast
fib daddr type != local
fib daddr type { local, broadcast }
fib saddr type local
fib daddr . iif type local
fib saddr . iif oif eq 0
fib saddr . iif oif exists
fib saddr . iif oif missing
fib saddr oifname "r0"
fib daddr oif "r1"
ip daddr vmap { 10.77.2.2 : continue }
ip daddr vmap @verdicts
tcp dport vmap { 80 : jump marking, 443 : jump marking }
meta mark set ip daddr map { 10.77.2.2 : 0 } meta mark 0
meta mark set tcp dport map { 80 : 0, 443 : 0 }
numgen random mod 1 0
numgen inc mod 1 offset 3 == 3
meta mark set numgen random mod 1 map { 0 : 0 }
ip saddr & 0.0.0.255 == 2
quota over 1000000 bytes
quota 1000000 bytes
update @seen { ip saddr }
add @seen { ip saddr timeout 5m }
log prefix "x"
notrack
counter name "hits"
meta nftrace set 1
@th,0,16 53
@nh,72,8 6
jhash ip saddr mod 1 0
"""
FOLD = """
table inet t {
  set addresses { type ipv4_addr; elements = { 10.77.2.2, 10.77.9.9 }; }
  set networks { type ipv4_addr; flags interval; elements = { 10.77.2.64/26, 10.78.0.0/16, 10.77.1.255 }; }
  set pairs { type ipv4_addr . ipv4_addr; elements = { 10.77.1.2 . 10.77.2.2 }; }
  set ports_of { type ifname . inet_service; elements = { "r0" . 80, "r1" . 443 }; }
  set seen { type ipv4_addr; flags dynamic, timeout; timeout 1h; size 100; }
  map verdicts { type ipv4_addr : verdict; flags interval; elements = { 10.77.2.0/24 : continue, 10.77.1.1 : jump marking }; }
  counter hits { }
  chain marking { meta mark set meta mark; }
  chain rules { type filter hook prerouting priority -100; policy accept;
    iifname != "r0" accept
    ip6 saddr { fe80::/10, :: } accept
    counter
RULES
  }
}
"""
DOUBTFUL = (
    "limit rate 1/second", "tcp option maxseg exists",  "socket transparent 1",
    "meta random < 2147483648", "meta cpu 0", "ct count 5",
)  # fmt: skip
CHECKSUMS = {
    body for body in BODIES.splitlines() if "th dport" in body or "th sport" in body or "@th" in body
}
"""Of an ICMP message these look at the checksum, which the walk does not know."""
EFFECTLESS = "meta mark set meta mark counter"


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """One wire for all packets."""
    with wires("expr") as made:
        yield made


def bodies() -> list[str]:
    """One rule each."""
    return BODIES.strip().splitlines()


@pytest.mark.parametrize("sent", [*PACKETS4, *PACKETS6], ids=lambda sent: sent.name)
def test_the_same_rules_count_a_packet_as_are_said_to_match(wire: Wire, sent: Sent) -> None:
    """Rules that depend on more than the packet may or may not count it; all others exactly."""
    rules = "\n".join(f"    {body} {EFFECTLESS}" for body in bodies())
    wire.load(FOLD.replace("RULES", rules))
    outcomes = wire.predicted(sent, "rules", Hook.PREROUTING)
    surely = set.intersection(*(facts_of(outcome) for outcome in outcomes))
    perhaps = set.union(*(facts_of(outcome) for outcome in outcomes)) - surely

    counted = wire.observed(sent, "rules/3") - {"rules/3"}

    assert {_body(rule) for rule in perhaps} <= (CHECKSUMS if sent.packet.icmp_type is not None else set())
    seen, said = ({_body(rule) for rule in rules if rule[:6] == "rules/"} for rules in (counted, surely))
    different = {body for body in seen ^ said if body not in CHECKSUMS or sent.packet.icmp_type is None}
    assert {body for body in different if not _jumps(body)} == set()


@pytest.mark.parametrize("body", DOUBTFUL)
def test_what_depends_on_more_than_the_packet_goes_both_ways(wire: Wire, body: str) -> None:
    """Both branches go on and name the place; the rules behind are walked in both."""
    wire.load(FOLD.replace("RULES", f"    {body} drop"))

    outcomes = wire.predicted(PACKETS4[0], "rules", Hook.PREROUTING)

    texts = [
        [step.text for step in outcome.history or () if step.kind is StepKind.ASSUMED] for outcome in outcomes
    ]
    assert [outcome.weight for outcome in outcomes] == [None, None]
    assert sorted(outcome.ending is not None for outcome in outcomes) == [False, True]
    assert all("router t/rules/4: " in text for (text,) in texts)


def _body(rule: str) -> str:
    return bodies()[int(rule.split("/")[1]) - 4]


def _jumps(body: str) -> bool:
    """A rule that jumps leaves a step, yet its own counter stands behind the jump."""
    return "jump" in body or body == "ip daddr vmap @verdicts"
