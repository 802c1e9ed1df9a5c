"""Whether a register lies between two constants.

Kernel: net/netfilter/nft_range.c
"""

from dataclasses import dataclass

from kubectl_packetpath.snapshot.nftables_messages import Verdict, read_data
from kubectl_packetpath.walk.nftables.expressions.cmp import decide
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import DoubtError
from kubectl_packetpath.walk.nftables.scene import BREAK, GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import OPERATORS, Sentence

SREG, OP, FROM, TO = 1, 2, 3, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """First and last, and whether the test is turned round."""

    slot: int
    invert: bool
    first: bytes
    last: bytes

    def holds(self, value: bytes) -> bool:
        """The test itself."""
        return (self.first <= value <= self.last) != self.invert


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    first, last = read_data(fields.bytes(FROM)), read_data(fields.bytes(TO))
    if isinstance(first, Verdict) or isinstance(last, Verdict):
        raise ValueError("a range of verdicts")  # noqa: TRY004 - the bytes are wrong, not a caller
    return Spec(slot=fields.slot(SREG), invert=bool(fields.number(OP)), first=first, last=last)


def run(spec: Spec, scene: Scene) -> Answer:
    """Go on where it holds."""
    size = len(spec.first)
    try:
        return GO_ON if spec.holds(scene.registers.read(spec.slot, size)) else BREAK
    except DoubtError as error:
        return decide(scene, error, size, spec.holds)


def words(spec: Spec, sentence: Sentence) -> None:
    """`tcp dport 80-90`."""
    term = sentence.term(spec.slot, len(spec.first))
    between = f"{term.words(spec.first)}-{term.words(spec.last)}"
    sentence.say(f"{term.text} {OPERATORS[int(spec.invert)]}{between}")


KIND = Kind(name="range", unpack=unpack, run=run, words=words, pure=True)
