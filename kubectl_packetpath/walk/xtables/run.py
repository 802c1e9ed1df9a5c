"""One walk through one table: where its branches stand, and its rules as evidence."""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.xtables import LegacyChain
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.blob import counters_of, decode_rule, target_of
from kubectl_packetpath.walk.xtables.extension import BAD_BYTES
from kubectl_packetpath.walk.xtables.rule import NoTarget, Standard
from kubectl_packetpath.walk.xtables.words import rule_words

MOST_ASSUMED = 256
"""Forks on doubtful matches in one table, after which a branch ends UNKNOWN."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A chain that was jumped from, and where to go on in it."""

    chain: LegacyChain
    position: int
    below: "Frame | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A packet before the rule at a position of a chain."""

    chain: LegacyChain
    position: int
    below: Frame | None
    packet: Packet
    history: History | None
    weight: Fraction | None


@dataclass(slots=True, kw_only=True)
class Run:
    """One walk through one table."""

    here: Here
    family: int
    table: str
    base: LegacyChain
    assumed: int = 0
    """Forks on doubtful matches so far."""
    chains: dict[int, LegacyChain | Absent] = field(default_factory=dict)
    offsets: dict[int, list[int]] = field(default_factory=dict)
    """Per chain: where the entry behind each rule stands."""

    def chain_at(self, offset: int) -> LegacyChain | Absent:
        """The chain that a jump leads to."""
        if offset not in self.chains:
            self.chains[offset] = self.here.state.legacy_chain(self.family, self.table, offset)
        return self.chains[offset]

    def is_policy(self, chain: LegacyChain, position: int) -> bool:
        """Whether this is the last word of a built-in chain."""
        return chain.hook is not None and position == len(chain.rules) - 1

    def following(self, chain: LegacyChain, position: int) -> int:
        """The offset of the entry behind a rule."""
        if chain.offset not in self.offsets:
            self.offsets[chain.offset] = list(accumulate(map(len, chain.rules), initial=chain.offset))[1:]
        return self.offsets[chain.offset][position]

    def place(self, chain: LegacyChain, position: int) -> str:
        """The rule's name: node, table, chain and number."""
        return f"{self.here.node} {self.table}/{chain.name}/{position + 1}"

    def fact(self, chain: LegacyChain, position: int) -> Fact:
        """The rule as evidence."""
        raw = chain.rules[position]
        packets, size = counters_of(self.family, raw)
        if self.is_policy(chain, position):
            try:
                target = target_of(self.family, raw, -1)
            except BAD_BYTES:
                target = NoTarget()
            policy = target.name if isinstance(target, Standard) else "?"
            key, text = f"{self.here.node} {self.table}/{chain.name}/policy", f":{chain.name} {policy}"
        else:
            key = self.place(chain, position)
            try:
                rule = decode_rule(self.family, raw, self.following(chain, position))
            except BAD_BYTES:
                text = f"-A {chain.name} [bytes that are not a rule]"
            else:
                text = rule_words(self.here.state, self.table, chain.name, rule)
        return Fact(section="iptables-legacy", key=key, text=text, packets=packets, bytes=size)
