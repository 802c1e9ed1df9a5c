"""Loads facts about IPsec on the packet.

Kernel: net/netfilter/nft_xfrm.c
"""

from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Undecided
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence, Term

DREG = 1
SIZE_BYTES = 4


def unpack(data: bytes) -> int:
    """The register that is filled."""
    return Fields(data).slot(DREG)


def run(spec: int, scene: Scene) -> Answer:
    """It is not recorded."""
    scene.registers.write(spec, Undecided("whether IPsec protects the packet is not known"), SIZE_BYTES)
    return GO_ON


def words(spec: int, sentence: Sentence) -> None:
    """`ipsec`."""
    sentence.load(spec, Term(text="ipsec", size=SIZE_BYTES))


KIND = Kind(name="xfrm", unpack=unpack, run=run, words=words, certainty="forks")
