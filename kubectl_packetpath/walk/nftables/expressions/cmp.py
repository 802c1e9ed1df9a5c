"""Compares a register with a constant, byte by byte.

Kernel: net/netfilter/nf_tables_core.c, nft_cmp.c
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne

from kubectl_packetpath.snapshot.nftables_messages import Verdict, read_data
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Choice, DoubtError, Undecided
from kubectl_packetpath.walk.nftables.scene import BREAK, GO_ON, Answer, Fork, Scene, Way
from kubectl_packetpath.walk.nftables.sentence import Sentence

SREG, OP, DATA = 1, 2, 3
EQ = 0
OPERATIONS: tuple[Callable[[bytes, bytes], bool], ...] = (eq, ne, lt, le, gt, ge)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Which register, how, with what."""

    slot: int
    operation: int
    value: bytes


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    value, operation = read_data(fields.bytes(DATA)), fields.number(OP)
    if isinstance(value, Verdict) or operation >= len(OPERATIONS):
        raise ValueError(f"a comparison {operation} with {value!r}")
    return Spec(slot=fields.slot(SREG), operation=operation, value=value)


def run(spec: Spec, scene: Scene) -> Answer:
    """Go on where it holds."""
    try:
        value = scene.registers.read(spec.slot, len(spec.value))
    except DoubtError as error:
        return decide(
            scene, error, len(spec.value), lambda seen: OPERATIONS[spec.operation](seen, spec.value)
        )
    return GO_ON if OPERATIONS[spec.operation](value, spec.value) else BREAK


def decide(scene: Scene, error: DoubtError, size: int, holds: Callable[[bytes], bool]) -> Answer:
    """A test of one register that holds a doubt: weigh the values that it may have."""
    doubt = error.doubt
    if isinstance(doubt, Choice):
        if size > 4:
            raise error
        good = [number for number in doubt.numbers if holds(doubt.bytes_of(number)[:size])]
        return _weighed(scene, error.slot, doubt, good)
    if doubt.possible and size == doubt.size:
        order = "big" if doubt.big_endian else "little"
        seen = {holds(number.to_bytes(size, order)) for number in doubt.possible}  # type: ignore[arg-type]
        if len(seen) == 1:
            return GO_ON if seen.pop() else BREAK
    return Undecided(doubt.reason)


def _weighed(scene: Scene, slot: int, doubt: Choice, good: list[int]) -> Answer:
    every = len(doubt.numbers)
    if not good or len(good) == every:
        return GO_ON if good else BREAK
    chosen = set(good)
    others = [number for number in doubt.numbers if number not in chosen]
    ways = []
    for numbers, answer in ((good, GO_ON), (others, BREAK)):
        branch = scene.copy(doubt.share(len(numbers)))
        branch.registers.write(slot, doubt.among(numbers), 4)
        ways.append(Way(branch, answer))
    return Fork(tuple(ways))


def words(spec: Spec, sentence: Sentence) -> None:
    """`tcp dport 80`."""
    sentence.compare(sentence.term(spec.slot, len(spec.value)), spec.operation, spec.value)


KIND = Kind(name="cmp", unpack=unpack, run=run, words=words, pure=True)
