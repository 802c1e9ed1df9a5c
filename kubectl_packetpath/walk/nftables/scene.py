"""What an expression sees while a rule runs, and what it may answer.

An expression changes the scene (registers, packet, history) and answers:

- `GO_ON`: the next expression is due.
- `BREAK`: the rule is not for this packet.
- a `Verdict`: the rule has decided.
- `Chance(share)`, `Undecided(reason)`: it goes on for some packets and breaks for the others.
- `Fork(ways)`: several ways on, each with a scene of its own.
- `Ends(outcomes)`: another part of the walk took over (NAT, an iptables target, a rejection).

Kernel: net/netfilter/nf_tables_core.c nft_do_chain
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction

from kubectl_packetpath.packet import Connection, Packet, State
from kubectl_packetpath.snapshot.nftables import NftChain
from kubectl_packetpath.snapshot.nftables_messages import Verdict
from kubectl_packetpath.trace import Fact, History, Outcome, Step, StepKind, told
from kubectl_packetpath.walk.here import Here, scaled
from kubectl_packetpath.walk.nftables.registers import Registers, Undecided
from kubectl_packetpath.walk.xtables.extension import Chance


class Simple(Enum):
    """The two answers without contents."""

    GO_ON = "go on"
    BREAK = "break"


GO_ON, BREAK = Simple.GO_ON, Simple.BREAK


@dataclass(slots=True, kw_only=True)
class Scene:
    """One packet within one rule. Expressions may change it; a fork copies it first."""

    here: Here
    chain: NftChain
    position: int
    """Of the rule in its chain, from 0."""
    packet: Packet
    history: History | None
    weight: Fraction | None
    registers: Registers
    fact: Callable[[NftChain, int], Fact]

    def copy(self, share: Fraction | None = Fraction(1)) -> "Scene":
        """Another branch from here, with a share of this one's weight."""
        return replace(self, registers=self.registers.copy(), weight=scaled(self.weight, share))

    @property
    def place(self) -> str:
        """The rule's name: node, table, chain and number."""
        return f"{self.here.node} {self.chain.table}/{self.chain.name}/{self.position + 1}"

    @property
    def because(self) -> tuple[Fact, ...]:
        """The rule as evidence."""
        return (self.fact(self.chain, self.position),)

    @property
    def family(self) -> int:
        """4 or 6: the packet's."""
        return self.packet.family

    @property
    def connection(self) -> Connection | None:
        """The packet's connection; one that is not valid or not tracked does not count."""
        connection = self.packet.connection
        if connection is None or connection.state in {State.INVALID, State.UNTRACKED}:
            return None
        return connection

    def tell(self, kind: StepKind, text: str) -> None:
        """Add a step that rests on this rule."""
        self.history = told(self.history, Step(kind=kind, text=text, because=self.because))

    def change(self, packet: Packet, text: str) -> None:
        """The rule puts another mark on the packet or its connection."""
        if packet == self.packet:
            self.tell(StepKind.MATCHED, f"{text} (as it was)")
            return
        step = Step(kind=StepKind.MARKED, text=text, because=self.because, before=self.packet, after=packet)
        self.history = told(self.history, step)
        self.packet = packet

    def assume(self, text: str) -> None:
        """From here on the branch rests on an assumption."""
        self.tell(StepKind.ASSUMED, f"{self.place}: {text}")
        self.weight = None


@dataclass(frozen=True, slots=True)
class Way:
    """One way on."""

    scene: Scene
    answer: "Answer | None"
    """None: the same expression has to run once more, now that its register holds bytes."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Several ways on; the scenes' weights are shares already."""

    ways: Iterable[Way]


@dataclass(frozen=True, slots=True)
class Ends:
    """Outcomes of another part of the walk; weights relative to the scene's.

    One without ending says `accept`, `return` or `continue`.
    """

    outcomes: Iterable[Outcome]


Answer = Simple | Verdict | Chance | Undecided | Fork | Ends
