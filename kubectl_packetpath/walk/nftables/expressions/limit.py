"""Lets so many packets or bytes through in a while: what it says depends on the load.

Kernel: net/netfilter/nft_limit.c
"""

from dataclasses import dataclass

from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Undecided
from kubectl_packetpath.walk.nftables.scene import Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

RATE, UNIT, BURST, TYPE, FLAGS = 1, 2, 3, 4, 5
BYTES, INVERT = 1, 0x1
DEFAULT_BURST = 5
UNITS = {1: "second", 60: "minute", 3600: "hour", 86400: "day", 604800: "week"}
STEPS = ((1 << 20, "mbytes"), (1 << 10, "kbytes"), (1, "bytes"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """How many of what in which time."""

    rate: int
    unit: int
    burst: int
    counts_bytes: bool
    invert: bool


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    return Spec(
        rate=fields.number(RATE),
        unit=fields.number(UNIT),
        burst=fields.number(BURST, 0),
        counts_bytes=fields.number(TYPE, 0) == BYTES,
        invert=bool(fields.number(FLAGS, 0) & INVERT),
    )


def run(spec: Spec, scene: Scene) -> Answer:
    """Both are possible."""
    del spec, scene
    return Undecided('"limit" depends on how many packets came before')


def words(spec: Spec, sentence: Sentence) -> None:
    """`limit rate over 5/second burst 5 packets`."""
    over = "over " if spec.invert else ""
    unit = UNITS.get(spec.unit, f"{spec.unit} seconds")
    if spec.counts_bytes:
        burst = f" burst {amount(spec.burst)}" if spec.burst else ""
        sentence.say(f"limit rate {over}{amount(spec.rate)}/{unit}{burst}")
    else:
        burst = f" burst {spec.burst} packets" if spec.burst != DEFAULT_BURST else ""
        sentence.say(f"limit rate {over}{spec.rate}/{unit}{burst}")


def amount(number: int) -> str:
    """`10 mbytes`."""
    size, name = next((step for step in STEPS if number and number % step[0] == 0), STEPS[-1])
    return f"{number // size} {name}"


KIND = Kind(name="limit", unpack=unpack, run=run, words=words, certainty="forks")
