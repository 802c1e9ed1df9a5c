"""Makes a number from a hash of registers, or of the packet's flow.

Each of the numbers is possible; which share of the connections gets one depends on what is hashed.

Kernel: net/netfilter/nft_hash.c
"""

from dataclasses import dataclass

from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Choice
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence, Term

SREG, DREG, LEN, MODULUS, SEED, OFFSET, TYPE = 1, 2, 3, 4, 5, 6, 7
SYMMETRIC = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What is hashed, into which numbers."""

    source: int | None
    size: int
    to: int
    modulus: int
    offset: int
    seed: int | None


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    return Spec(
        source=None if fields.number(TYPE, 0) == SYMMETRIC else fields.slot(SREG),
        size=fields.number(LEN, 0),
        to=fields.slot(DREG),
        modulus=fields.number(MODULUS),
        offset=fields.number(OFFSET, 0),
        seed=fields.number(SEED) if SEED in fields else None,
    )


def run(spec: Spec, scene: Scene) -> Answer:
    """Any of the numbers."""
    if spec.modulus > 1:
        scene.assume("a hash of the packet chooses; each choice is possible")
    numbers = range(spec.offset, spec.offset + spec.modulus)
    scene.registers.write(spec.to, Choice(numbers, weighted=spec.modulus == 1), 4)
    return GO_ON


def words(spec: Spec, sentence: Sentence) -> None:
    """`jhash ip saddr mod 2`, `symhash mod 2`."""
    text = "symhash" if spec.source is None else f"jhash {sentence.term(spec.source, spec.size).text}"
    text += f" mod {spec.modulus}"
    text += f" seed 0x{spec.seed:x}" if spec.seed is not None and spec.source is not None else ""
    text += f" offset {spec.offset}" if spec.offset else ""
    sentence.load(spec.to, Term(text=text, kinds=("host",)))


KIND = Kind(name="hash", unpack=unpack, run=run, words=words, certainty="forks")
