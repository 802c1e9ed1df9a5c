"""Jumps, gotos, returns, verdict maps, policies and several base chains do what the kernel does."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from kernel.nftables.wire import Wire, facts_of, wires
from kernel.xtables.packets import tcp, udp
from kernel.xtables.wire import CLIENT4, DEADLINE_SECONDS, SERVER4, Sent

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Outcome, Verdict
from kubectl_packetpath.walk.conntrack import track
from kubectl_packetpath.walk.here import Hook
from kubectl_packetpath.walk.hooks import run_hook

pytestmark = pytest.mark.kernel

DONE = "meta mark set meta mark counter"
"""Leaves a step and a count, and nothing else."""
AFTER = """
table inet after { chain after { type filter hook postrouting priority 300;
  meta mark 0x2a counter
  ip saddr 10.77.1.2 counter
}
}
"""


@dataclass(frozen=True, slots=True)
class Case:
    """Chains of table `ip t`; `base` hangs at forward, and its first rule counts everything."""

    name: str
    chains: str
    policy: str = "accept"

    @property
    def ruleset(self) -> str:
        """For nft."""
        chains = self.chains.replace("DONE", DONE).replace(
            "chain base {",
            f"chain base {{ type filter hook forward priority 0; policy {self.policy}; counter;",
        )
        return f"table ip t {{\n{chains}\n}}\n{AFTER}"


CASES = (
    Case("an accept ends the chain", "chain base { meta l4proto udp counter accept\n counter drop\n }"),
    Case("a drop ends the packet", "chain base { meta l4proto tcp counter drop\n DONE\n }"),
    Case("the policy drops", "chain base { meta l4proto tcp DONE accept\n DONE\n }", "drop"),
    Case(
        "a chain that ends returns to its caller",
        "chain a { jump b\n DONE\n }\n chain b { meta l4proto udp DONE\n }\n"
        "chain base { jump a\n DONE\n meta l4proto udp counter drop\n }",
    ),
    Case(
        "a return skips the rest of its chain",
        "chain a { meta l4proto udp counter return\n DONE\n counter drop\n }\n chain base { jump a\n DONE\n }",
    ),
    Case(
        "a goto leaves no way back",
        "chain a { goto b\n counter drop\n }\n chain b { meta l4proto tcp counter return\n DONE\n }\n"
        "chain base { jump a\n DONE\n meta l4proto udp counter drop\n }",
    ),
    Case(
        "a goto from a base chain ends in the policy",
        "chain b { meta l4proto tcp counter accept\n DONE\n }\n chain base { goto b\n counter accept\n }",
        "drop",
    ),
    Case(
        "a return in a base chain asks the policy",
        "chain base { meta l4proto tcp counter return\n DONE accept\n }",
        "drop",
    ),
    Case(
        "a verdict map leads to chains",
        "chain web { DONE\n }\n chain names { DONE\n counter drop\n }\n"
        "map m { type inet_proto . inet_service : verdict; elements = { tcp . 80 : jump web, udp . 53 : goto names }; }\n"
        "chain base { meta l4proto . th dport vmap @m\n DONE\n }",
    ),
    Case(
        "an anonymous verdict map of intervals gives verdicts",
        "chain low { counter return\n }\n"
        "chain base { th dport vmap { 0-60 : drop, 61-1023 : jump low }\n DONE\n }",
    ),
    Case(
        "a catch-all element is for all others",
        "map m { type inet_service : verdict; elements = { 80 : accept, * : drop }; }\n"
        "chain base { th dport vmap @m\n DONE\n }",
    ),
    Case(
        "continue in a map goes on within the rule",
        "chain base { meta l4proto vmap { tcp : continue } DONE\n counter accept\n }",
    ),
    Case(
        "marks are set, changed and seen by later rules and chains",
        "map marks { type inet_service : mark; elements = { 53 : 0x2a, 80 : 0x6a }; }\n"
        "chain base { meta mark set th dport map @marks counter\n meta mark & 0x40 == 0x40 DONE\n"
        "meta mark set meta mark & 0xffffffbf counter\n meta mark 0x2a DONE\n ct mark set meta mark\n"
        "meta mark set 0\n meta mark set ct mark | 0x2 counter\n }",
    ),
    Case(
        "every base chain of a hook is asked, until one drops",
        "chain base { counter accept\n }\n"
        "chain later { type filter hook forward priority 10; meta l4proto udp counter drop\n DONE\n }\n"
        "chain earlier { type filter hook forward priority -10; DONE\n accept\n }",
    ),
    Case(
        "a reject answers", "chain base { meta l4proto tcp counter reject with tcp reset\n counter reject\n }"
    ),
    Case(
        "header fields are changed and seen by later rules",
        "chain base { ip dscp set ef counter\n ip dscp ef DONE\n ip ttl set 9 counter\n ip ttl 9 DONE\n"
        "ip dscp != ef counter drop\n }",
    ),
    Case(
        "an element may be added to a set",
        "set seen { type ipv4_addr; flags dynamic; size 10; }\n"
        "chain base { add @seen { ip saddr } DONE\n ip saddr != 10.77.1.2 counter drop\n }",
    ),
    Case(
        "shifts, masks and unions of registers agree",
        "chain base { ip ttl & 0x30 == 0x30 DONE\n ip saddr & 255.255.0.0 == 10.77.0.0 DONE\n"
        "meta mark set 0xa counter\n meta mark set meta mark << 2 counter\n"
        "meta mark set meta mark ^ 0x2 counter\n meta mark 0x2a DONE\n }",
    ),
)
PACKETS = {
    "tcp": tcp("S", 41001, 80, (CLIENT4, SERVER4)),
    "udp": udp(41002, 53, (CLIENT4, SERVER4)),
}


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """One wire for all cases."""
    with wires("chn") as made:
        yield made


def walked(wire: Wire, packet: Packet) -> Outcome:
    """The packet at FORWARD, after the router has counted its time to live down."""
    with wire.state() as state:
        (tracked,) = track(wire.here(state, Hook.PREROUTING), packet, None)
        routed = replace(tracked.packet, ttl=packet.ttl - 1)
        (outcome,) = run_hook(wire.here(state, Hook.FORWARD), routed, None)
        return outcome


def counts_after(wire: Wire, sent: Sent) -> dict[str, int]:
    """Sent twice: when the second copy is being counted, the first is through."""
    wire.send(sent)
    wire.send(sent)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        counts = wire.counted()
        if counts["base/1"] >= 2:
            return counts
    raise TimeoutError(f"{sent.name} did not arrive")


@pytest.mark.parametrize("protocol", PACKETS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_walk_takes_the_kernel_s_way(wire: Wire, case: Case, protocol: str) -> None:
    """The rules that count, whether the packet gets through, and with which mark."""
    sent = PACKETS[protocol]
    wire.load(case.ruleset)
    outcome = walked(wire, sent.packet)

    counts = counts_after(wire, sent)

    counting = {rule for rule in counts if not rule.startswith("after/")}
    seen = {rule for rule in counting if counts[rule]} - {"base/1"}
    assert seen == {rule for rule in facts_of(outcome) if rule in counting}
    assert (outcome.ending is None) == (counts["after/2"] > 0)
    assert (outcome.ending is None and outcome.packet.mark == 0x2A) == (counts["after/1"] > 0)
    assert outcome.weight == 1


@pytest.mark.parametrize(("protocol", "answer"), [("tcp", "tcp-reset"), ("udp", "icmp-port-unreachable")])
def test_a_rejection_says_how_the_sender_is_told(wire: Wire, protocol: str, answer: str) -> None:
    """RST or ICMP: a client sees the difference."""
    case = next(case for case in CASES if case.name == "a reject answers")
    wire.load(case.ruleset)

    outcome = walked(wire, PACKETS[protocol].packet)

    assert outcome.ending is not None
    assert outcome.ending.verdict is Verdict.REJECTED
    assert answer in outcome.ending.reason
