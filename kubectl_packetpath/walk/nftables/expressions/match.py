"""A match of iptables, held by its nft back end.

Kernel: net/netfilter/nft_compat.c
"""

from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Undecided
from kubectl_packetpath.walk.nftables.scene import BREAK, GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence
from kubectl_packetpath.walk.xtables.evaluate import evaluate
from kubectl_packetpath.walk.xtables.extension import Chance, Extension
from kubectl_packetpath.walk.xtables.extension import Undecided as NotKnown

NAME, REVISION, INFO = 1, 2, 3


def unpack(data: bytes) -> Extension:
    """Read the attributes; what the match's own bytes mean stands in its own file."""
    fields = Fields(data)
    return Extension(name=fields.text(NAME), revision=fields.number(REVISION), data=fields.bytes(INFO))


def run(spec: Extension, scene: Scene) -> Answer:
    """Go on where it holds."""
    decision = evaluate(scene.here, scene.family, spec, scene.packet)
    if isinstance(decision, bool):
        return GO_ON if decision else BREAK
    if isinstance(decision, NotKnown):
        return Undecided(decision.reason)
    return decision if isinstance(decision, Chance) else BREAK


def words(spec: Extension, sentence: Sentence) -> None:
    """`xt match "comment"`, as nft prints what it cannot translate."""
    sentence.say(f'xt match "{spec.name}"')


KIND = Kind(name="match", unpack=unpack, run=run, words=words)
