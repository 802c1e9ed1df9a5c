"""Guesses the sender's operating system.

Kernel: net/netfilter/nft_osf.c
"""

from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Undecided
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence, Term

DREG = 1
SIZE_BYTES = 16


def unpack(data: bytes) -> int:
    """The register that is filled."""
    return Fields(data).slot(DREG)


def run(spec: int, scene: Scene) -> Answer:
    """It is not recorded."""
    scene.registers.write(spec, Undecided("the sender's operating system is not known"), SIZE_BYTES)
    return GO_ON


def words(spec: int, sentence: Sentence) -> None:
    """`osf name`."""
    sentence.load(spec, Term(text="osf name", size=SIZE_BYTES))


KIND = Kind(name="osf", unpack=unpack, run=run, words=words, certainty="forks")
