"""Puts a constant into a register, or gives a verdict.

Kernel: net/netfilter/nft_immediate.c
"""

from dataclasses import dataclass

from kubectl_packetpath.snapshot.nftables_messages import Verdict, read_data
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import VERDICT_REGISTER, slot_of
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence, Term
from kubectl_packetpath.walk.nftables.values import verdict_words

DREG, DATA = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The constant, and the register unless it is a verdict."""

    slot: int
    data: bytes | Verdict


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    register = fields.number(DREG)
    value = read_data(fields.bytes(DATA))
    slot = VERDICT_REGISTER if isinstance(value, Verdict) else slot_of(register)
    return Spec(slot=slot, data=value)


def run(spec: Spec, scene: Scene) -> Answer:
    """A verdict decides; a value waits in its register."""
    if isinstance(spec.data, Verdict):
        return spec.data
    scene.registers.write(spec.slot, spec.data)
    return GO_ON


def words(spec: Spec, sentence: Sentence) -> None:
    """`drop`, `goto X`; a value is named by what uses it."""
    if isinstance(spec.data, Verdict):
        sentence.say(verdict_words(spec.data))
    else:
        size = len(spec.data)
        sentence.load(spec.slot, Term(text=f"0x{spec.data.hex()}", size=size, value=spec.data))


KIND = Kind(name="immediate", unpack=unpack, run=run, words=words)
