"""Keeps connection tracking away from the packet.

Kernel: net/netfilter/nft_ct.c nft_notrack_eval
"""

from dataclasses import replace

from kubectl_packetpath.packet import Connection, State
from kubectl_packetpath.trace import StepKind
from kubectl_packetpath.walk.conntrack import answer_flow
from kubectl_packetpath.walk.nftables.kind import Kind
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence


def unpack(data: bytes) -> None:
    """There is nothing to read."""
    del data


def run(spec: None, scene: Scene) -> Answer:
    """Only a packet that has no connection yet can be kept from one."""
    del spec
    if scene.packet.connection is None:
        flow = scene.packet.flow
        untracked = Connection(state=State.UNTRACKED, original=flow, reply=answer_flow(flow))
        scene.tell(StepKind.MATCHED, "connection tracking leaves the packet alone")
        scene.packet = replace(scene.packet, connection=untracked)
    return GO_ON


def words(spec: None, sentence: Sentence) -> None:
    """`notrack`."""
    del spec
    sentence.say("notrack")


KIND = Kind(name="notrack", unpack=unpack, run=run, words=words)
