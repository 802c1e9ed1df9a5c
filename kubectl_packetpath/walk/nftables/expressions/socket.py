"""Loads facts about the local socket that the packet is for.

Kernel: net/netfilter/nft_socket.c
"""

from dataclasses import dataclass

from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Undecided
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence, Term

KEY, DREG, LEVEL = 1, 2, 3
KEYS = (
    ("socket transparent", "integer", 1), ("socket mark", "mark", 4), ("socket wildcard", "integer", 1),
    ("socket cgroupv2", "host", 8),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Which fact."""

    key: int
    to: int
    level: int | None


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    spec = Spec(
        key=fields.number(KEY), to=fields.slot(DREG), level=fields.number(LEVEL) if LEVEL in fields else None
    )
    if spec.key >= len(KEYS):
        raise ValueError(f"socket key {spec.key}")
    return spec


def run(spec: Spec, scene: Scene) -> Answer:
    """Options of sockets are not recorded."""
    text, _, size = KEYS[spec.key]
    scene.registers.write(spec.to, Undecided(f'"{text}" is not known'), size)
    return GO_ON


def words(spec: Spec, sentence: Sentence) -> None:
    """`socket transparent`, `socket cgroupv2 level 1`."""
    text, kind, size = KEYS[spec.key]
    text += f" level {spec.level}" if spec.level is not None else ""
    sentence.load(spec.to, Term(text=text, kinds=(kind,), size=size))


KIND = Kind(name="socket", unpack=unpack, run=run, words=words, certainty="forks")
