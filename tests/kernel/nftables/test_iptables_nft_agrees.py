"""The nft back end of iptables: its rules read as `iptables-save` prints them, and decide as the kernel does."""

from collections.abc import Iterator

import pytest
from kernel.nftables.wire import Wire, facts_of, wires
from kernel.xtables.packets import PACKETS4, PACKETS6
from kernel.xtables.test_matches_agree import ALLOWED_TO_FORK, BODIES, BODIES6, IPSETS
from kernel.xtables.wire import Sent

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.walk.here import Hook
from kubectl_packetpath.walk.nftables.words import rule_words
from testbed.netns import succeed

pytestmark = pytest.mark.kernel

EFFECTLESS = "-j MARK --set-xmark 0x0/0x0"
UNSUPPORTED = ("-m helper",)
"""The nft back end refuses these here."""
PROGRAM = """*mangle
:CASES - [0:0]
-A PREROUTING -s {client} -j CASES
{rules}
COMMIT
"""


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """One wire for all packets."""
    with wires("ipt") as made:
        succeed([*made.router.enter, "ipset", "restore"], stdin=IPSETS)
        yield made


def bodies(family: int) -> list[str]:
    """One rule each."""
    lines = (BODIES if family == 4 else BODIES6).strip().splitlines()
    return [line for line in lines if not line.startswith(UNSUPPORTED)]


def load(wire: Wire, family: int) -> None:
    """All rules of a family."""
    program, client = ("iptables", "10.77.1.2") if family == 4 else ("ip6tables", "fd77:1::2")
    rules = "\n".join(f"-A CASES {body} {EFFECTLESS}" for body in bodies(family))
    wire.load(PROGRAM.format(client=client, rules=rules), f"{program}-nft-restore")


@pytest.mark.parametrize("sent", [*PACKETS4, *PACKETS6], ids=lambda sent: sent.name)
def test_the_same_rules_count_a_packet_as_are_said_to_match(wire: Wire, sent: Sent) -> None:
    """Rules that depend on more than the packet may or may not count it; all others exactly."""
    family = sent.packet.family
    load(wire, family)
    outcomes = wire.predicted(sent, "PREROUTING", Hook.PREROUTING)
    surely = set.intersection(*(facts_of(outcome) for outcome in outcomes))
    perhaps = set.union(*(facts_of(outcome) for outcome in outcomes)) - surely

    counted = wire.observed(sent, "PREROUTING/1")

    def said(rules: set[str]) -> set[str]:
        return {bodies(family)[int(rule.split("/")[1]) - 1] for rule in rules if rule.startswith("CASES/")}

    assert said(perhaps) <= ALLOWED_TO_FORK
    assert said(counted ^ surely) - said(perhaps) == set()


@pytest.mark.parametrize("family", [4, 6])
def test_a_rule_reads_as_iptables_save_prints_it(wire: Wire, family: int) -> None:
    """Whoever reads a fact finds the very line on the node."""
    load(wire, family)
    program = "iptables-nft-save" if family == 4 else "ip6tables-nft-save"
    printed = succeed([*wire.router.enter, program, "-t", "mangle"]).splitlines()
    with wire.state() as state:
        chain = state.nft_chain(2 if family == 4 else 10, "mangle", "CASES")
        assert not isinstance(chain, Absent)
        assert not isinstance(chain.rules, Absent)
        words = [rule_words(state, chain, raw) for raw in chain.rules]

    assert [text for _, text in words] == [line for line in printed if line.startswith("-A CASES")]
    assert {section for section, _ in words} == {"iptables-nft"}
