"""One walk through one base chain: where its branches stand, and its rules as evidence."""

from dataclasses import dataclass, field
from fractions import Fraction

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.nftables import NftChain
from kubectl_packetpath.trace import Fact, History, Outcome
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.nftables.registers import Registers
from kubectl_packetpath.walk.nftables.scene import Scene
from kubectl_packetpath.walk.nftables.skip import Prober
from kubectl_packetpath.walk.nftables.words import policy_fact, rule_fact

MOST_ASSUMED = 256
"""Forks on doubtful expressions in one base chain, after which a branch ends UNKNOWN."""
MOST_DEEP = 16
"""Jumps within jumps (NFT_JUMP_STACK_SIZE)."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A chain that was jumped from, and where to go on in it."""

    chain: NftChain
    position: int
    below: "Frame | None"
    depth: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A packet before the rule at a position of a chain."""

    chain: NftChain
    position: int
    below: Frame | None
    packet: Packet
    history: History | None
    weight: Fraction | None

    @property
    def outcome(self) -> Outcome:
        """The branch as it stands."""
        return Outcome(weight=self.weight, packet=self.packet, history=self.history)


@dataclass(slots=True, kw_only=True)
class Run:
    """One walk through one base chain."""

    here: Here
    base: NftChain
    assumed: int = 0
    """Forks on doubtful expressions so far."""
    chains: dict[str, NftChain | Absent] = field(default_factory=dict)
    facts: dict[tuple[str, int], Fact] = field(default_factory=dict)
    prober: tuple[Packet, Prober] | None = None

    def chain_named(self, name: str) -> NftChain | Absent:
        """A chain of the same table, with its rules."""
        if name not in self.chains:
            self.chains[name] = self.here.state.nft_chain(self.base.family, self.base.table, name)
        return self.chains[name]

    def scene(self, branch: Branch) -> Scene:
        """The stage for the rule that the branch stands before."""
        return Scene(
            here=self.here,
            chain=branch.chain,
            position=branch.position,
            packet=branch.packet,
            history=branch.history,
            weight=branch.weight,
            registers=Registers(),
            fact=self.fact,
        )

    def probe(self, branch: Branch) -> Prober:
        """The prober for the branch's packet."""
        if self.prober is None or self.prober[0] is not branch.packet:
            self.prober = (branch.packet, Prober(self.scene(branch)))
        return self.prober[1]

    def place(self, chain: NftChain, position: int) -> str:
        """The rule's name: node, table, chain and number."""
        return f"{self.here.node} {chain.table}/{chain.name}/{position + 1}"

    def fact(self, chain: NftChain, position: int) -> Fact:
        """The rule as evidence; words are made once, and only for rules that matter."""
        key = (chain.name, position)
        if key not in self.facts:
            self.facts[key] = rule_fact(self.here, chain, position)
        return self.facts[key]

    def policy(self) -> Fact:
        """The base chain's policy as evidence."""
        return policy_fact(self.here, self.base)
