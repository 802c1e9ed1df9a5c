"""Gives the packet a security label.

Kernel: net/netfilter/nft_meta.c nft_secmark_obj_eval
"""

from kubectl_packetpath.walk.nftables.kind import Kind
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence


def unpack(data: bytes) -> None:
    """The label does not matter to the packet's way."""
    del data


def run(spec: None, scene: Scene) -> Answer:
    """The packet goes on."""
    del spec, scene
    return GO_ON


def words(spec: None, sentence: Sentence) -> None:
    """`secmark`."""
    del spec
    sentence.say("secmark")


KIND = Kind(name="secmark", unpack=unpack, run=run, words=words, observes=True)
