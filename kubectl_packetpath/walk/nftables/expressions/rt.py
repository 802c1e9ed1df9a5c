"""Loads facts about the route that the packet was given.

Kernel: net/netfilter/nft_rt.c
"""

from dataclasses import dataclass

from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Undecided
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence, Term

DREG, KEY = 1, 2
KEYS = (
    ("rt classid", "realm", 4), ("rt ip nexthop", "ipv4_addr", 4), ("rt ip6 nexthop", "ipv6_addr", 16),
    ("rt mtu", "host", 2), ("rt ipsec", "boolean", 1),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Which fact."""

    to: int
    key: int


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    spec = Spec(to=fields.slot(DREG), key=fields.number(KEY))
    if spec.key >= len(KEYS):
        raise ValueError(f"rt key {spec.key}")
    return spec


def run(spec: Spec, scene: Scene) -> Answer:
    """The hook does not know the route any more."""
    text, _, size = KEYS[spec.key]
    scene.registers.write(spec.to, Undecided(f'"{text}" is not known here'), size)
    return GO_ON


def words(spec: Spec, sentence: Sentence) -> None:
    """`rt nexthop`."""
    text, kind, size = KEYS[spec.key]
    sentence.load(spec.to, Term(text=text, kinds=(kind,), size=size))


KIND = Kind(name="rt", unpack=unpack, run=run, words=words, certainty="forks")
