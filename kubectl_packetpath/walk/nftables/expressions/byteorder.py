"""Turns the bytes of a register round.

Kernel: net/netfilter/nft_byteorder.c
"""

from dataclasses import dataclass, replace

from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import DoubtError, Undecided
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

SREG, DREG, LEN, SIZE = 1, 2, 4, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """How many bytes, in units of which size."""

    source: int
    to: int
    size: int
    unit: int


def unpack(data: bytes) -> Spec:
    """Read the attributes; both directions are the same on a little-endian machine."""
    fields = Fields(data)
    return Spec(
        source=fields.slot(SREG), to=fields.slot(DREG), size=fields.number(LEN), unit=fields.number(SIZE)
    )


def run(spec: Spec, scene: Scene) -> Answer:
    """Swap."""
    try:
        value = scene.registers.read(spec.source, spec.size)
    except DoubtError as error:
        doubt = error.doubt
        if isinstance(doubt, Undecided):
            scene.registers.write(spec.to, Undecided(doubt.reason), spec.size)
        elif spec.size == spec.unit == 4:
            scene.registers.write(spec.to, replace(doubt, big_endian=not doubt.big_endian), spec.size)
        else:
            raise
        return GO_ON
    units = (value[at : at + spec.unit][::-1] for at in range(0, spec.size, spec.unit))
    scene.registers.write(spec.to, b"".join(units))
    return GO_ON


def words(spec: Spec, sentence: Sentence) -> None:
    """Nft hides it; what follows compares big-endian."""
    sentence.load(spec.to, sentence.swapped(spec.source, spec.size))


KIND = Kind(name="byteorder", unpack=unpack, run=run, words=words, pure=True)
