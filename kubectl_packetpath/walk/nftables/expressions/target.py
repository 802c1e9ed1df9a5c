"""A target of iptables, held by its nft back end.

Kernel: net/netfilter/nft_compat.c
"""

from kubectl_packetpath.walk.nftables.expressions.match import unpack
from kubectl_packetpath.walk.nftables.kind import Kind
from kubectl_packetpath.walk.nftables.scene import Answer, Ends, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence
from kubectl_packetpath.walk.xtables.evaluate import run_target
from kubectl_packetpath.walk.xtables.extension import Extension


def run(spec: Extension, scene: Scene) -> Answer:
    """What the target's own file says."""
    return Ends(run_target(scene.here, scene.family, spec, scene.packet, scene.history, scene.because))


def words(spec: Extension, sentence: Sentence) -> None:
    """`xt target "DNAT"`, as nft prints what it cannot translate."""
    sentence.say(f'xt target "{spec.name}"')


KIND = Kind(name="target", unpack=unpack, run=run, words=words)
