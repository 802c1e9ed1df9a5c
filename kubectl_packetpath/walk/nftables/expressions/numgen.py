"""Makes a number by chance, or the next one in turn: over all packets each number has the same share.

Kernel: net/netfilter/nft_numgen.c
"""

from dataclasses import dataclass

from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Choice
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence, Term

DREG, MODULUS, TYPE, OFFSET = 1, 2, 3, 4
IN_TURN = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """From which numbers."""

    to: int
    modulus: int
    offset: int
    random: bool


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    return Spec(
        to=fields.slot(DREG),
        modulus=fields.number(MODULUS),
        offset=fields.number(OFFSET, 0),
        random=fields.number(TYPE) != IN_TURN,
    )


def run(spec: Spec, scene: Scene) -> Answer:
    """Which number it is, only a later expression has to know."""
    scene.registers.write(spec.to, Choice(range(spec.offset, spec.offset + spec.modulus)), 4)
    return GO_ON


def words(spec: Spec, sentence: Sentence) -> None:
    """`numgen random mod 3`."""
    text = f"numgen {'random' if spec.random else 'inc'} mod {spec.modulus}"
    text += f" offset {spec.offset}" if spec.offset else ""
    sentence.load(spec.to, Term(text=text, kinds=("host",)))


KIND = Kind(name="numgen", unpack=unpack, run=run, words=words, certainty="forks")
