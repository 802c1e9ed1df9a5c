"""Masks, joins and shifts a register.

Kernel: net/netfilter/nft_bitwise.c
"""

from dataclasses import dataclass, replace

from kubectl_packetpath.snapshot.nftables_messages import Verdict, read_data
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import DoubtError, Undecided
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence, masked
from kubectl_packetpath.walk.nftables.values import as_number

SREG, DREG, LEN, MASK, XOR, OP, DATA, SREG2 = 1, 2, 3, 4, 5, 6, 7, 8
MASK_XOR, LEFT, RIGHT, AND, OR, EXCLUSIVE = 0, 1, 2, 3, 4, 5
SIGNS = {AND: "&", OR: "|", EXCLUSIVE: "^", LEFT: "<<", RIGHT: ">>"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What is done to how many bytes."""

    source: int
    to: int
    size: int
    operation: int
    mask: bytes = b""
    xor: bytes = b""
    data: bytes = b""
    other: int | None = None


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    operation = fields.number(OP, MASK_XOR)
    if operation > EXCLUSIVE:
        raise ValueError(f"bitwise operation {operation}")
    spec = Spec(
        source=fields.slot(SREG),
        to=fields.slot(DREG),
        size=fields.number(LEN),
        operation=operation,
        other=fields.slot_or_none(SREG2),
    )
    if operation == MASK_XOR:
        return replace(spec, mask=_constant(fields, MASK), xor=_constant(fields, XOR))
    return spec if spec.other is not None else replace(spec, data=_constant(fields, DATA))


def _constant(fields: Fields, kind: int) -> bytes:
    value = read_data(fields.bytes(kind))
    if isinstance(value, Verdict):
        raise ValueError("a verdict where a number belongs")  # noqa: TRY004 - the bytes are wrong, not a caller
    return value


def run(spec: Spec, scene: Scene) -> Answer:
    """Compute; what is not known stays so, unless the mask hides it."""
    try:
        other = spec.data if spec.other is None else scene.registers.read(spec.other, spec.size)
        value: bytes | Undecided = _computed(spec, scene.registers.read(spec.source, spec.size), other)
    except DoubtError as error:
        if not isinstance(error.doubt, Undecided):
            raise
        value = _partly(spec, error.doubt)
    scene.registers.write(spec.to, value, spec.size)
    return GO_ON


def _partly(spec: Spec, doubt: Undecided) -> bytes | Undecided:
    """The result where only some bits are known."""
    if spec.operation != MASK_XOR or len(doubt.known) != spec.size:
        return Undecided(doubt.reason)
    if all(mask & ~known & 0xFF == 0 for mask, known in zip(spec.mask, doubt.known, strict=True)):
        return _computed(spec, doubt.value, b"")
    return Undecided(doubt.reason)


def _computed(spec: Spec, value: bytes, other: bytes) -> bytes:
    operation = spec.operation
    if operation == MASK_XOR:
        return bytes(a & m ^ x for a, m, x in zip(value, spec.mask, spec.xor, strict=True))
    if operation in {LEFT, RIGHT}:
        return _shifted(value, int.from_bytes(other, "little"), right=operation == RIGHT)
    pairs = zip(value, other, strict=True)
    if operation == AND:
        return bytes(a & b for a, b in pairs)
    return bytes(a | b for a, b in pairs) if operation == OR else bytes(a ^ b for a, b in pairs)


def _shifted(value: bytes, bits: int, *, right: bool) -> bytes:
    """The kernel shifts words of 32 bits in the machine's order, the carry goes to the next one."""
    size = len(value)
    padded = value.ljust((size + 3) & ~3, b"\0")
    words_ = [int.from_bytes(padded[i : i + 4], "little") for i in range(0, len(padded), 4)]
    carry = 0
    order = range(len(words_)) if right else range(len(words_) - 1, -1, -1)
    for index in order:
        word = words_[index]
        moved = word >> bits if right else (word << bits) & 0xFFFFFFFF
        words_[index] = moved | carry
        carry = ((word << (32 - bits)) & 0xFFFFFFFF if right else word >> (32 - bits)) if bits else 0
    return b"".join(word.to_bytes(4, "little") for word in words_)[:size]


def words(spec: Spec, sentence: Sentence) -> None:
    """`& 0x00004000`; masks that only narrow a comparison are said by it."""
    term = sentence.term(spec.source, spec.size)
    kind = term.kinds[0]
    if spec.operation == MASK_XOR:
        mask, xor = as_number(kind, spec.mask), as_number(kind, spec.xor)
        sentence.load(spec.to, masked(term, mask, xor, spec.size))
        return
    operand = (
        sentence.term(spec.other).text if spec.other is not None else str(int.from_bytes(spec.data, "little"))
    )
    sentence.load(spec.to, replace(term, text=f"{term.text} {SIGNS[spec.operation]} {operand}"))


KIND = Kind(name="bitwise", unpack=unpack, run=run, words=words, pure=True)
