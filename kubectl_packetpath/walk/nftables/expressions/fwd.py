"""Sends the packet out by another device, past everything else.

Kernel: net/netfilter/nft_fwd_netdev.c
"""

from kubectl_packetpath.walk.here import go_on, unknown
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.scene import Answer, Ends, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

DEVICE = 1


def unpack(data: bytes) -> int:
    """The register that holds the device."""
    return Fields(data).slot(DEVICE)


def run(spec: int, scene: Scene) -> Answer:
    """The walk does not follow it."""
    del spec
    text = f"{scene.place}: the packet leaves by another device, past the routing"
    return Ends((unknown(go_on(scene.packet, scene.history), text, scene.because),))


def words(spec: int, sentence: Sentence) -> None:
    """`fwd to 3`."""
    sentence.say(f"fwd to {sentence.constant(spec, 'ifindex') or sentence.term(spec).text}")


KIND = Kind(name="fwd", unpack=unpack, run=run, words=words, certainty="unknown: not followed")
