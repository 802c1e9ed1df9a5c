"""Puts the packet's key into a set, or refreshes it there.

The rule goes on once the element is there; only a set that is full, or a limit kept per element, stops it.

Kernel: net/netfilter/nft_dynset.c
"""

from dataclasses import dataclass

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.netlink import attributes
from kubectl_packetpath.snapshot.nftables_messages import Expression, read_expression, read_set
from kubectl_packetpath.trace import StepKind
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Undecided
from kubectl_packetpath.walk.nftables.scene import BREAK, GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence
from kubectl_packetpath.walk.nftables.values import time_words

SET, OPERATION, SREG_KEY, SREG_DATA, TIMEOUT, EXPRESSION, FLAGS, EXPRESSIONS = 1, 3, 4, 5, 6, 7, 9, 10
ADD, UPDATE, DELETE = 0, 1, 2
INVERT = 0x1
OPERATIONS = ("add", "update", "delete")
COUNTING = {"counter", "last"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Which set, what is done, with which key."""

    name: str
    operation: int
    key: int
    data: int | None
    timeout_ms: int
    invert: bool
    expressions: tuple[Expression, ...]


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    inner: tuple[Expression, ...] = ()
    if EXPRESSION in fields:
        inner = (read_expression(fields.bytes(EXPRESSION)),)
    elif EXPRESSIONS in fields:
        inner = tuple(read_expression(value) for _, value in attributes(fields.bytes(EXPRESSIONS)))
    return Spec(
        name=fields.text(SET),
        operation=fields.number(OPERATION),
        key=fields.slot(SREG_KEY),
        data=fields.slot_or_none(SREG_DATA),
        timeout_ms=fields.number(TIMEOUT, 0),
        invert=bool(fields.number(FLAGS, 0) & INVERT),
        expressions=inner,
    )


def run(spec: Spec, scene: Scene) -> Answer:
    """Remember, and go on."""
    doubtful = next((each.name for each in spec.expressions if each.name not in COUNTING), None)
    if doubtful is not None:
        return Undecided(f'the element\'s "{doubtful}" depends on earlier packets')
    if spec.operation != DELETE:
        scene.tell(StepKind.MATCHED, f"remembered in set {spec.name}")
    return BREAK if spec.invert and spec.operation != DELETE else GO_ON


def words(spec: Spec, sentence: Sentence) -> None:
    """`update @affinity { ip saddr }`."""
    found = sentence.state.nft_set(sentence.chain.family, sentence.chain.table, spec.name)
    size = 0 if isinstance(found, Absent) else read_set(found.message).key_length
    text = sentence.term(spec.key, size).text
    text += f" timeout {time_words(spec.timeout_ms)}" if spec.timeout_ms else ""
    inner = Sentence(state=sentence.state, chain=sentence.chain)
    for each in spec.expressions:
        _say(each, inner)
    text += f" {inner.text()}" if spec.expressions else ""
    if spec.data is not None:
        text += f" : {sentence.term(spec.data).text}"
    sentence.say(f"{OPERATIONS[spec.operation]} @{spec.name} {{ {text} }}")


def _say(expression: Expression, sentence: Sentence) -> None:
    from kubectl_packetpath.walk.nftables.expressions import find_kind  # noqa: PLC0415 - it lists this module

    kind = find_kind(expression.name)
    if kind is None:
        sentence.say(f"[{expression.name}]")
    elif expression.name in COUNTING:
        sentence.say(expression.name)
    else:
        kind.words(kind.unpack(expression.data), sentence)


KIND = Kind(name="dynset", unpack=unpack, run=run, words=words)
