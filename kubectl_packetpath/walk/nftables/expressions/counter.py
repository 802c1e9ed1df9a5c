"""Counts packets and bytes.

Kernel: net/netfilter/nft_counter.c
"""

from dataclasses import dataclass

from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

BYTES, PACKETS = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What was counted so far."""

    packets: int
    bytes: int


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    return Spec(packets=fields.number(PACKETS, 0), bytes=fields.number(BYTES, 0))


def run(spec: Spec, scene: Scene) -> Answer:
    """Nothing changes for the packet."""
    del spec, scene
    return GO_ON


def words(spec: Spec, sentence: Sentence) -> None:
    """`counter packets 3 bytes 180`."""
    sentence.say(f"counter packets {spec.packets} bytes {spec.bytes}")


KIND = Kind(name="counter", unpack=unpack, run=run, words=words, observes=True)
