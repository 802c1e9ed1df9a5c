"""Loads what a tunnel device noted about the packet.

Kernel: net/netfilter/nft_tunnel.c
"""

from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Undecided
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence, Term

DREG = 2
SIZE_BYTES = 4


def unpack(data: bytes) -> int:
    """The register that is filled."""
    return Fields(data).slot(DREG)


def run(spec: int, scene: Scene) -> Answer:
    """It is not recorded."""
    scene.registers.write(spec, Undecided("the tunnel's metadata is not known"), SIZE_BYTES)
    return GO_ON


def words(spec: int, sentence: Sentence) -> None:
    """`tunnel id`."""
    sentence.load(spec, Term(text="tunnel id", size=SIZE_BYTES))


KIND = Kind(name="tunnel", unpack=unpack, run=run, words=words, certainty="forks")
