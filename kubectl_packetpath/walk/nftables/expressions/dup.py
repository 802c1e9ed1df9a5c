"""Sends a copy of the packet elsewhere; the packet itself goes on.

Kernel: net/ipv4/netfilter/nft_dup_ipv4.c, net/netfilter/nft_dup_netdev.c
"""

from dataclasses import dataclass

from kubectl_packetpath.trace import StepKind
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

ADDRESS, DEVICE = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Where the copy goes."""

    address: int | None
    device: int | None


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    return Spec(address=fields.slot_or_none(ADDRESS), device=fields.slot_or_none(DEVICE))


def run(spec: Spec, scene: Scene) -> Answer:
    """The packet goes on."""
    del spec
    scene.tell(StepKind.MATCHED, "a copy is sent elsewhere")
    return GO_ON


def words(spec: Spec, sentence: Sentence) -> None:
    """`dup to 10.0.0.1 device "eth0"`."""
    kind = "ipv6_addr" if sentence.chain.family == 10 else "ipv4_addr"
    text = "dup"
    if spec.address is not None:
        text += f" to {sentence.constant(spec.address, kind) or sentence.term(spec.address).text}"
    if spec.device is not None:
        held = sentence.term(spec.device)
        link = (held.value is not None and sentence.device(held.value)) or held.text
        text += f"{' device' if spec.address is not None else ' to'} {link}"
    sentence.say(text)


KIND = Kind(name="dup", unpack=unpack, run=run, words=words, observes=True)
