"""Looks into a packet that another packet carries.

Kernel: net/netfilter/nft_inner.c
"""

from kubectl_packetpath.snapshot.nftables_messages import read_expression
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import SIZE_BYTES, Undecided
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence, Term

EXPRESSION = 5
DREG = 1


def unpack(data: bytes) -> int:
    """The register that is filled."""
    within = read_expression(Fields(data).bytes(EXPRESSION))
    return Fields(within.data).slot(DREG)


def run(spec: int, scene: Scene) -> Answer:
    """What is inside is not looked at."""
    size = min(16, SIZE_BYTES - spec * 4)
    scene.registers.write(spec, Undecided("what the packet carries is not looked at"), size)
    return GO_ON


def words(spec: int, sentence: Sentence) -> None:
    """Only that it is something inside."""
    sentence.load(spec, Term(text="[inner]"))


KIND = Kind(name="inner", unpack=unpack, run=run, words=words, certainty="forks")
