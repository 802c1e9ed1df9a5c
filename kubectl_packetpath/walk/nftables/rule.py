"""One rule for one packet: its expressions in turn, forking where the kernel's choice is not known.

Kernel: net/netfilter/nf_tables_core.c nft_do_chain
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from kubectl_packetpath.snapshot.nftables_messages import ACCEPT, BREAK, CONTINUE, RETURN, Verdict
from kubectl_packetpath.trace import History, Outcome, StepKind
from kubectl_packetpath.walk.here import scaled, unknown
from kubectl_packetpath.walk.nftables.kind import BAD_BYTES
from kubectl_packetpath.walk.nftables.program import Instruction
from kubectl_packetpath.walk.nftables.registers import Choice, DoubtError, Undecided
from kubectl_packetpath.walk.nftables.scene import Answer, Ends, Fork, Scene, Simple, Way
from kubectl_packetpath.walk.xtables.evaluate import observes
from kubectl_packetpath.walk.xtables.extension import Chance, Extension

GOES_ON = Verdict(code=CONTINUE)
BROKE_OFF = Verdict(code=BREAK)
MOST_CHOICES = 4096
LATER = {"accept": Verdict(code=ACCEPT), "return": Verdict(code=RETURN)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A branch that has left the rule."""

    scene: Scene
    verdict: Verdict = GOES_ON
    outcome: Outcome | None = None
    """The branch ended, or another part of the walk has accepted it."""
    broken_at: int | None = None
    """The expression at which the rule turned out not to be for this packet."""
    assumed: bool = False

    def is_unchanged(self, history: History | None) -> bool:
        """Nothing happened to the packet on the way."""
        return self.outcome is None and self.scene.history is history


@dataclass(frozen=True, slots=True)
class _Point:
    """A scene before an expression, or with an answer from one."""

    scene: Scene
    index: int
    answer: Answer | None = None
    assumed: bool = False


def run_rule(scene: Scene, program: Sequence[Instruction]) -> Iterator[Finished]:
    """Every way through the rule."""
    waiting = [_Point(scene, 0)]
    while waiting:
        point = waiting.pop()
        while True:
            if point.index == len(program):
                yield Finished(scene=point.scene, assumed=point.assumed)
                break
            answer = point.answer or _run(program[point.index], point.scene)
            if answer is Simple.GO_ON:
                point = _Point(point.scene, point.index + 1, None, point.assumed)
                continue
            if answer is Simple.BREAK:
                yield Finished(
                    scene=point.scene, verdict=BROKE_OFF, broken_at=point.index, assumed=point.assumed
                )
            elif isinstance(answer, Verdict):
                if answer.code == CONTINUE:
                    point = _Point(point.scene, point.index + 1, None, point.assumed)
                    continue
                yield Finished(scene=point.scene, verdict=answer, assumed=point.assumed)
            elif isinstance(answer, Ends):
                yield from _handed_over(point, answer, waiting)
            else:
                waiting += reversed(list(_branches(point, program, answer)))
            break


def _run(instruction: Instruction, scene: Scene) -> Answer:
    if instruction.kind is None:
        return Undecided(instruction.problem)
    try:
        answer: Answer = instruction.kind.run(instruction.spec, scene)
    except DoubtError as error:
        return _doubted(instruction, scene, error)
    except BAD_BYTES as error:
        return Undecided(f'expression "{instruction.name}": {error}')
    return answer


def _doubted(instruction: Instruction, scene: Scene, error: DoubtError) -> Answer:
    """The expression needs to know: one branch for each choice, or no answer."""
    doubt = error.doubt
    if isinstance(doubt, Choice) and len(doubt.numbers) <= MOST_CHOICES:
        ways = []
        for number in doubt.numbers:
            branch = scene.copy(doubt.share(1))
            branch.registers.write(error.slot, doubt.bytes_of(number))
            ways.append(Way(branch, None))
        return Fork(tuple(ways))
    reason = doubt.reason if isinstance(doubt, Undecided) else f"one of {len(doubt.numbers)} numbers"
    text = f'{scene.place}: what "{instruction.name}" does is not known: {reason}'
    outcome = Outcome(weight=Fraction(1), packet=scene.packet, history=scene.history)
    return Ends((unknown(outcome, text, scene.because),))


def _handed_over(point: _Point, answer: Ends, waiting: list[_Point]) -> Iterator[Finished]:
    """Outcomes of another part of the walk: those that go on within the rule wait for their turn."""
    onward = []
    for outcome in answer.outcomes:
        weight = scaled(point.scene.weight, outcome.weight)
        scene = replace(point.scene, packet=outcome.packet, history=outcome.history, weight=weight)
        if outcome.ending is not None or outcome.verdict == "accept":
            yield Finished(scene=scene, outcome=replace(outcome, weight=weight))
        elif outcome.verdict in LATER:
            yield Finished(scene=scene, verdict=LATER[outcome.verdict])
        else:
            scene.registers = point.scene.registers.copy()
            onward.append(_Point(scene, point.index + 1, None, point.assumed))
    waiting += reversed(onward)


def _branches(point: _Point, program: Sequence[Instruction], answer: Answer) -> Iterator[_Point]:
    """The ways on after a fork."""
    scene, index = point.scene, point.index
    match answer:
        case Fork(ways=ways):
            for way in ways:
                yield _Point(way.scene, index, way.answer, point.assumed or way.scene.weight is None)
        case Chance(share=share):
            yield _Point(scene.copy(share), index, Simple.GO_ON, point.assumed)
            yield _Point(scene.copy(1 - share), index, Simple.BREAK, point.assumed)
        case Undecided(reason=reason):
            if _changes_nothing(scene, program[index + 1 :]):
                yield _Point(scene, index, Simple.BREAK, point.assumed)
                return
            for answered, text in ((Simple.GO_ON, "to match"), (Simple.BREAK, "not to match")):
                branch = scene.copy(None)
                branch.tell(StepKind.ASSUMED, f"{scene.place}: {reason}; taken {text}")
                yield _Point(branch, index, answered, True)


def _changes_nothing(scene: Scene, rest: Sequence[Instruction]) -> bool:
    """Whether the packet's way is the same with and without the remaining expressions."""
    return all(each.kind is not None and (each.kind.observes or _only_observes(scene, each)) for each in rest)


def _only_observes(scene: Scene, instruction: Instruction) -> bool:
    spec = instruction.spec
    return instruction.name == "target" and isinstance(spec, Extension) and observes(scene.family, spec)
