"""Hands the packet to a program that decides about it.

Kernel: net/netfilter/nft_queue.c
"""

from dataclasses import dataclass

from kubectl_packetpath.walk.here import go_on, unknown
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.scene import Answer, Ends, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

NUMBER, TOTAL, FLAGS, SREG = 1, 2, 3, 4
BYPASS, FANOUT = 0x1, 0x2


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Which queues."""

    number: int
    total: int
    flags: int
    source: int | None


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    return Spec(
        number=fields.number(NUMBER, 0),
        total=fields.number(TOTAL, 1),
        flags=fields.number(FLAGS, 0),
        source=fields.slot_or_none(SREG),
    )


def run(spec: Spec, scene: Scene) -> Answer:
    """What the program says is beyond the kernel's state."""
    text = f"{scene.place}: a program behind queue {spec.number} decides"
    return Ends((unknown(go_on(scene.packet, scene.history), text, scene.because),))


def words(spec: Spec, sentence: Sentence) -> None:
    """`queue flags bypass to 1-3`."""
    names = {BYPASS: "bypass", FANOUT: "fanout"}
    flags = ",".join(text for bit, text in names.items() if spec.flags & bit)
    last = spec.number + spec.total - 1
    to = str(spec.number) if last <= spec.number else f"{spec.number}-{last}"
    if spec.source is not None:
        to = sentence.term(spec.source).text
    sentence.say(f"queue{f' flags {flags}' if flags else ''} to {to}")


KIND = Kind(name="queue", unpack=unpack, run=run, words=words, certainty="unknown: a program decides")
