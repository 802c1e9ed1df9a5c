"""Rules as evidence: where they stand, their words, and what they counted."""

from dataclasses import replace

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.netlink import NetlinkError
from kubectl_packetpath.snapshot.nftables import NftChain
from kubectl_packetpath.trace import Fact
from kubectl_packetpath.walk.here import Here, Hook
from kubectl_packetpath.walk.nftables.expressions.counter import Spec as Counted
from kubectl_packetpath.walk.nftables.program import program_of
from kubectl_packetpath.walk.nftables.sentence import is_iptables
from kubectl_packetpath.walk.nftables.words import policy_words, rule_words


class Facts:
    """The facts of one walk through one base chain; words are made once, and only for rules that matter."""

    __slots__ = ("_here", "_known")

    def __init__(self, here: Here) -> None:
        self._here = here
        self._known: dict[tuple[str, int], Fact] = {}

    def of(self, chain: NftChain, position: int) -> Fact:
        """The rule at this position."""
        key = chain.name, position
        if key not in self._known:
            self._known[key] = self._made(chain, position)
        return self._known[key]

    def _made(self, chain: NftChain, position: int) -> Fact:
        rules = chain.rules
        raw = b"" if isinstance(rules, Absent) else rules[position]
        key = f"{self._here.node} {chain.table}/{chain.name}/{position + 1}"
        fact = Fact(section="nftables", key=key)
        try:
            section, text = rule_words(self._here.state, chain, raw)
            counted = next((each.spec for each in program_of(raw) if isinstance(each.spec, Counted)), None)
        except NetlinkError:
            return fact
        fact = replace(fact, section=section, text=text)
        if counted is not None:
            fact = replace(fact, packets=counted.packets, bytes=counted.bytes)
        return fact

    def policy(self, chain: NftChain) -> Fact:
        """The last word of a base chain."""
        iptables = is_iptables(self._here.state, chain)
        return Fact(
            section="iptables-nft" if iptables else "nftables",
            key=f"{self._here.node} {chain.table}/{chain.name}/policy",
            text=f":{chain.name} DROP" if iptables else policy_words(chain, Hook(self._here.hook)),
            packets=chain.policy_packets,
            bytes=chain.policy_bytes,
        )
