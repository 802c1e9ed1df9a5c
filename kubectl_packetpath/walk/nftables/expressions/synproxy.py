"""Answers the opening of a TCP connection before its server hears of it.

Kernel: net/netfilter/nft_synproxy.c
"""

from dataclasses import dataclass

from kubectl_packetpath.packet import TCP
from kubectl_packetpath.walk.here import go_on, unknown
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.scene import BREAK, Answer, Ends, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

MSS, WSCALE, FLAGS = 1, 2, 3
WITH_MSS, WITH_WSCALE, WITH_SACK, WITH_TIMESTAMP = 0x1, 0x2, 0x4, 0x8


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What it offers the client."""

    mss: int
    wscale: int
    flags: int


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    return Spec(mss=fields.number(MSS, 0), wscale=fields.number(WSCALE, 0), flags=fields.number(FLAGS, 0))


def run(spec: Spec, scene: Scene) -> Answer:
    """The proxied connection is not followed."""
    del spec
    if scene.packet.protocol != TCP:
        return BREAK
    text = f"{scene.place}: synproxy answers the connection itself"
    return Ends((unknown(go_on(scene.packet, scene.history), text, scene.because),))


def words(spec: Spec, sentence: Sentence) -> None:
    """`synproxy mss 1460 wscale 7 timestamp sack-perm`."""
    text = "synproxy"
    text += f" mss {spec.mss}" if spec.flags & WITH_MSS else ""
    text += f" wscale {spec.wscale}" if spec.flags & WITH_WSCALE else ""
    text += " timestamp" if spec.flags & WITH_TIMESTAMP else ""
    text += " sack-perm" if spec.flags & WITH_SACK else ""
    sentence.say(text)


KIND = Kind(name="synproxy", unpack=unpack, run=run, words=words, certainty="unknown: answers by itself")
