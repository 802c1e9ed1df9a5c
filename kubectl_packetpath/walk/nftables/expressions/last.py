"""Remembers when a packet came by last.

Kernel: net/netfilter/nft_last.c
"""

from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

SET, MILLISECONDS = 1, 2


def unpack(data: bytes) -> int | None:
    """How long ago, in milliseconds; None: never."""
    fields = Fields(data)
    return fields.number(MILLISECONDS, 0) if fields.number(SET, 0) else None


def run(spec: int | None, scene: Scene) -> Answer:
    """Nothing changes for the packet."""
    del spec, scene
    return GO_ON


def words(spec: int | None, sentence: Sentence) -> None:
    """`last used never`."""
    sentence.say("last used never" if spec is None else f"last used {spec}ms")


KIND = Kind(name="last", unpack=unpack, run=run, words=words, observes=True)
