"""Lets so many bytes through altogether.

Kernel: net/netfilter/nft_quota.c
"""

from dataclasses import dataclass

from kubectl_packetpath.walk.nftables.expressions.limit import amount
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.scene import BREAK, GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

BYTES, FLAGS, CONSUMED = 1, 2, 4
INVERT = 0x1


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """How many bytes, and how many of them are gone."""

    bytes: int
    consumed: int
    invert: bool


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    return Spec(
        bytes=fields.number(BYTES),
        consumed=fields.number(CONSUMED, 0),
        invert=bool(fields.number(FLAGS, 0) & INVERT),
    )


def run(spec: Spec, scene: Scene) -> Answer:
    """What the quota says to the next packet, as it was when it was read."""
    over = spec.consumed + scene.packet.size_bytes > spec.bytes
    return GO_ON if over == spec.invert else BREAK


def words(spec: Spec, sentence: Sentence) -> None:
    """`quota over 10 mbytes used 1 kbytes`."""
    used = f" used {amount(spec.consumed)}" if spec.consumed else ""
    sentence.say(f"quota {'over ' if spec.invert else ''}{amount(spec.bytes)}{used}")


KIND = Kind(name="quota", unpack=unpack, run=run, words=words)
