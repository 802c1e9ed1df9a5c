"""A packet's way through one base chain of nftables, and the chains that it jumps to.

Branches wait on a stack of their own instead of Python's, so a map of 1,000 endpoints is 1,000 branches of
one walk, and none of them is walked twice.

Kernel: net/netfilter/nf_tables_core.c nft_do_chain
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.netlink import NetlinkError
from kubectl_packetpath.snapshot.nftables import NftChain
from kubectl_packetpath.snapshot.nftables_messages import (
    ACCEPT,
    BREAK,
    CONTINUE,
    DROP,
    GOTO,
    JUMP,
    RETURN,
    Verdict,
)
from kubectl_packetpath.trace import Ending, Fact, History, Outcome, StepKind
from kubectl_packetpath.trace import Verdict as Fate
from kubectl_packetpath.walk.here import Here, Outcomes, ended, unknown
from kubectl_packetpath.walk.nftables.facts import Facts
from kubectl_packetpath.walk.nftables.program import Skipper, program_of
from kubectl_packetpath.walk.nftables.registers import Registers
from kubectl_packetpath.walk.nftables.rule import Finished, run_rule
from kubectl_packetpath.walk.nftables.scene import Scene

MOST_ASSUMED = 256
"""Branches on doubtful rules in one base chain, after which a branch ends UNKNOWN."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A chain that was jumped from, and where to go on in it."""

    chain: NftChain
    position: int
    below: "Frame | None"


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
    facts: Facts
    assumed: int = 0
    chains: dict[str, NftChain | Absent] = field(default_factory=dict)

    def chain(self, name: str) -> NftChain | Absent:
        """A chain of the same table, with its rules."""
        if name not in self.chains:
            self.chains[name] = self.here.state.nft_chain(self.base.family, self.base.table, name)
        return self.chains[name]


def run_base(here: Here, chain: NftChain, packet: Packet, history: History | None) -> Outcomes:
    """Walk a base chain; every outcome has an ending or goes on with `accept`."""
    run = Run(here=here, base=chain, facts=Facts(here))
    waiting: list[Branch] = []
    start = Branch(chain=chain, position=0, below=None, packet=packet, history=history, weight=Fraction(1))
    whole = run.chain(chain.name)
    if isinstance(whole, Absent):
        place = f"{here.node} {chain.table}/{chain.name}"
        yield unknown(
            start.outcome, f"{place}: the chain could not be read ({whole.detail or whole.why.value})"
        )
        return
    waiting.append(replace(start, chain=whole))
    while waiting:
        later: list[Branch] = []
        for result in _walk_chain(run, waiting.pop()):
            if isinstance(result, Branch):
                later.append(result)
            else:
                yield result
        waiting += reversed(later)


def _walk_chain(run: Run, branch: Branch) -> Iterator[Branch | Outcome]:
    """To the next rule that does something, and out of the chain at its end."""
    rules = branch.chain.rules
    if isinstance(rules, Absent):
        yield unknown(
            branch.outcome, f"{run.here.node} {branch.chain.table}/{branch.chain.name}: no rules read"
        )
        return
    skipper, position = Skipper(), branch.position
    while (position := skipper.next_candidate(rules, position)) < len(rules):
        raw, scene = rules[position], _scene(run, branch, position)
        try:
            program = program_of(raw)
        except NetlinkError as error:
            yield unknown(branch.outcome, f"{scene.place}: the rule cannot be read: {error}")
            return
        results = list(run_rule(scene, program))
        if (
            len(results) == 1
            and (only := results[0]).broken_at is not None
            and only.is_unchanged(branch.history)
        ):
            skipper.learn(raw, program, only.broken_at, only.scene.registers)
            position += 1
            continue
        for result in results:
            yield from _after(run, replace(branch, position=position), result)
        return
    yield from _end_of_chain(run, replace(branch, position=position))


def _scene(run: Run, branch: Branch, position: int) -> Scene:
    return Scene(
        here=run.here,
        chain=branch.chain,
        position=position,
        packet=branch.packet,
        history=branch.history,
        weight=branch.weight,
        registers=Registers(),
        fact=run.facts.of,
    )


def _after(run: Run, branch: Branch, result: Finished) -> Iterator[Branch | Outcome]:
    """What a rule said about one branch."""
    scene = result.scene
    branch = replace(branch, packet=scene.packet, history=scene.history, weight=scene.weight)
    if result.outcome is not None:
        yield result.outcome
        return
    if result.assumed:
        run.assumed += 1
        if run.assumed > MOST_ASSUMED:
            text = f"{scene.place}: too many rules before this one could not be decided"
            yield unknown(branch.outcome, text, scene.because)
            return
    yield from _verdict(run, branch, scene, result.verdict)


def _verdict(run: Run, branch: Branch, scene: Scene, verdict: Verdict) -> Iterator[Branch | Outcome]:
    match verdict.code:
        case code if code in {CONTINUE, BREAK}:
            yield replace(branch, position=branch.position + 1)
        case code if code == ACCEPT:
            scene.tell(StepKind.MATCHED, "accepted")
            yield replace(branch.outcome, history=scene.history, verdict="accept")
        case code if code == DROP:
            ending = Ending(verdict=Fate.DROPPED, reason="dropped by a rule")
            yield ended(branch.outcome, ending, kind=StepKind.DROPPED, because=scene.because)
        case code if code == RETURN:
            scene.tell(StepKind.RETURNED, f"from {branch.chain.name}")
            yield from _end_of_chain(run, replace(branch, history=scene.history))
        case code if code in {JUMP, GOTO}:
            yield from _jump(run, branch, scene, verdict)
        case _:
            yield unknown(branch.outcome, f"{scene.place}: a program in user space decides", scene.because)


def _jump(run: Run, branch: Branch, scene: Scene, verdict: Verdict) -> Iterator[Branch | Outcome]:
    """Into another chain; a goto leaves no way back to this one."""
    chain = run.chain(verdict.chain)
    if isinstance(chain, Absent):
        text = f"{scene.place}: the chain it leads to could not be read ({chain.detail or chain.why.value})"
        yield unknown(branch.outcome, text, scene.because)
        return
    scene.tell(StepKind.JUMPED, f"to {chain.name}")
    below = branch.below
    if verdict.code == JUMP:
        below = Frame(branch.chain, branch.position + 1, branch.below)
    yield replace(branch, chain=chain, position=0, below=below, history=scene.history)


def _end_of_chain(run: Run, branch: Branch) -> Iterator[Branch | Outcome]:
    """Back to where the packet was jumped from, or to the policy."""
    below = branch.below
    if below is not None:
        yield replace(branch, chain=below.chain, position=below.position, below=below.below)
        return
    hook = run.base.hook
    if hook is None or hook.policy != DROP:
        yield replace(branch.outcome, verdict="accept")
        return
    ending = Ending(verdict=Fate.DROPPED, reason=f"dropped by the policy of {run.base.table}/{run.base.name}")
    because: tuple[Fact, ...] = (run.facts.policy(run.base),)
    yield ended(branch.outcome, ending, kind=StepKind.DROPPED, because=because)
