"""Counts how many connections an address has.

Kernel: net/netfilter/nft_connlimit.c
"""

from dataclasses import dataclass

from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Undecided
from kubectl_packetpath.walk.nftables.scene import Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

COUNT, FLAGS = 1, 2
INVERT = 0x1


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """How many."""

    count: int
    invert: bool


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    return Spec(count=fields.number(COUNT), invert=bool(fields.number(FLAGS, 0) & INVERT))


def run(spec: Spec, scene: Scene) -> Answer:
    """Both are possible."""
    del spec, scene
    return Undecided('"ct count" depends on how many connections there are')


def words(spec: Spec, sentence: Sentence) -> None:
    """`ct count over 10`."""
    sentence.say(f"ct count {'over ' if spec.invert else ''}{spec.count}")


KIND = Kind(name="connlimit", unpack=unpack, run=run, words=words, certainty="forks")
