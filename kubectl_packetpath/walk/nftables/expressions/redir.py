"""Redirects to this machine itself.

Kernel: net/netfilter/nft_redir.c
"""

from kubectl_packetpath.walk.nat import Manipulation, NatRange, rewrite
from kubectl_packetpath.walk.nftables.expressions.masq import Spec
from kubectl_packetpath.walk.nftables.expressions.nat import FULLY_RANDOM, PERSISTENT, RANDOM, ports_of
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.nat_words import flag_words, target_words
from kubectl_packetpath.walk.nftables.scene import Answer, Ends, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

PORT_MIN, PORT_MAX, FLAGS = 1, 2, 3


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
        redirect=True,
        ports=ports_of(spec.port, scene),
        random=bool(spec.flags & RANDOM),
        fully_random=bool(spec.flags & FULLY_RANDOM),
        persistent=bool(spec.flags & PERSISTENT),
    )
    both = (Manipulation.DESTINATION, wanted)
    return Ends(rewrite(scene.here, scene.packet, scene.history, both, scene.because))


def words(spec: Spec, sentence: Sentence) -> None:
    """`redirect to :8080`."""
    target, _ = target_words(sentence, None, spec.port, "ipv4_addr")
    sentence.say(f"redirect{f' to {target}' if target else ''}{flag_words(spec.flags)}")


KIND = Kind(name="redir", unpack=unpack, run=run, words=words)
