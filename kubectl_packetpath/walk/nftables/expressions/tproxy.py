"""Hands the packet to a socket of this machine, whatever its destination.

Kernel: net/netfilter/nft_tproxy.c
"""

from dataclasses import dataclass

from kubectl_packetpath.walk.here import go_on, unknown
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.nat_words import target_words
from kubectl_packetpath.walk.nftables.scene import Answer, Ends, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

FAMILY, ADDRESS, PORT = 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Where the socket listens."""

    family: int
    address: int | None
    port: int | None


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    return Spec(
        family=fields.number(FAMILY, 0), address=fields.slot_or_none(ADDRESS), port=fields.slot_or_none(PORT)
    )


def run(spec: Spec, scene: Scene) -> Answer:
    """Which socket that is, the walk does not follow."""
    del spec
    text = f"{scene.place}: a transparent proxy takes the packet if it listens"
    return Ends((unknown(go_on(scene.packet, scene.history), text, scene.because),))


def words(spec: Spec, sentence: Sentence) -> None:
    """`tproxy to 127.0.0.1:8080`."""
    address = None if spec.address is None else (spec.address, spec.address)
    port = None if spec.port is None else (spec.port, spec.port)
    kind = "ipv6_addr" if spec.family == 10 else "ipv4_addr"
    family = {2: " ip", 10: " ip6"}.get(spec.family, "") if sentence.chain.family == 1 else ""
    sentence.say(f"tproxy{family} to {target_words(sentence, address, port, kind)[0]}")


KIND = Kind(name="tproxy", unpack=unpack, run=run, words=words, certainty="unknown: a proxy decides")
