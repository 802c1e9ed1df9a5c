"""Masquerades: the source becomes the address of the way out.

Kernel: net/netfilter/nft_masq.c
"""

from dataclasses import dataclass

from kubectl_packetpath.walk.nat import Manipulation, NatRange, rewrite
from kubectl_packetpath.walk.nftables.expressions.nat import FULLY_RANDOM, PERSISTENT, RANDOM, ports_of
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.nat_words import flag_words, target_words
from kubectl_packetpath.walk.nftables.scene import Answer, Ends, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

FLAGS, PORT_MIN, PORT_MAX = 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Ports and flags."""

    port: tuple[int, int] | None
    flags: int


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    port = None
    if PORT_MIN in fields:
        port = fields.slot(PORT_MIN), fields.slot(PORT_MAX) if PORT_MAX in fields else fields.slot(PORT_MIN)
    return Spec(port=port, flags=fields.number(FLAGS, 0))


def run(spec: Spec, scene: Scene) -> Answer:
    """The chain ends with accept."""
    wanted = NatRange(
        masquerade=True,
        ports=ports_of(spec.port, scene),
        random=bool(spec.flags & RANDOM),
        fully_random=bool(spec.flags & FULLY_RANDOM),
        persistent=bool(spec.flags & PERSISTENT),
    )
    both = (Manipulation.SOURCE, wanted)
    return Ends(rewrite(scene.here, scene.packet, scene.history, both, scene.because))


def words(spec: Spec, sentence: Sentence) -> None:
    """`masquerade fully-random`."""
    target, _ = target_words(sentence, None, spec.port, "ipv4_addr")
    sentence.say(f"masquerade{f' to {target}' if target else ''}{flag_words(spec.flags)}")


KIND = Kind(name="masq", unpack=unpack, run=run, words=words)
