"""Lets later packets of a connection pass by the rules; the first ones are not concerned.

Kernel: net/netfilter/nft_flow_offload.c
"""

from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Undecided
from kubectl_packetpath.walk.nftables.scene import BREAK, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

TABLE = 1


def unpack(data: bytes) -> str:
    """The flow table's name."""
    return Fields(data).text(TABLE)


def run(spec: str, scene: Scene) -> Answer:
    """Only a connection that both sides have confirmed can be put there."""
    connection = scene.connection
    if connection is None or not connection.confirmed:
        return BREAK
    return Undecided(f"whether the connection can pass by flow table {spec} is not known")


def words(spec: str, sentence: Sentence) -> None:
    """`flow add @f`."""
    sentence.say(f"flow add @{spec}")


KIND = Kind(name="flow_offload", unpack=unpack, run=run, words=words, observes=True)
