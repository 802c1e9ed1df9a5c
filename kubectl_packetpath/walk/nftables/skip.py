"""Finds the next rule that may be for a packet, by comparing bytes: most rules of a long chain are not.

What a rule loads from the packet is the same for all rules, so it is loaded once; a comparison is then a
comparison of two slices. Whatever is not that simple is left to the walk.

Kernel: net/netfilter/nft_cmp.c struct nft_cmp_fast_expr does the same
"""

from collections.abc import Sequence

from kubectl_packetpath.snapshot.nftables_messages import expression_spans
from kubectl_packetpath.walk.nftables.decode import instruction
from kubectl_packetpath.walk.nftables.expressions import cmp
from kubectl_packetpath.walk.nftables.kind import BAD_BYTES
from kubectl_packetpath.walk.nftables.registers import DoubtError
from kubectl_packetpath.walk.nftables.scene import BREAK, GO_ON, Scene

CMP_HEAD_BYTES = 36
"""Name, register, operation and the heads of the value: all that is before the value itself."""
CMP_NAME = b"\x08\x00\x01\x00cmp\x00"
EQUAL, NOT_EQUAL = 0, 1

Loaded = tuple[int, bytes] | bool
"""A slot and what it holds, True: the rule breaks here, False: not that simple."""


class Prober:
    """Tells at once for one packet which rules are not for it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._loads: dict[bytes, Loaded] = {}
        self._heads: dict[bytes, tuple[int, int, int] | None] = {}

    def candidate(self, rules: Sequence[bytes], position: int) -> int:
        """The first rule from here on that may be for the packet; the number of rules: none is."""
        while position < len(rules) and self._misses(rules[position]):
            position += 1
        return position

    def _misses(self, raw: bytes) -> bool:
        slots: dict[int, bytes] = {}
        try:
            for begin, end in expression_spans(raw):
                data = raw[begin:end]
                if data.startswith(CMP_NAME):
                    answer = self._compared(data, slots)
                    if answer is not None:
                        if answer:
                            continue
                        return True
                    return False
                loaded = self._loads.get(data)
                if loaded is None:
                    loaded = self._loads[data] = self._load(data)
                if isinstance(loaded, bool):
                    return loaded
                slots[loaded[0]] = loaded[1]
        except BAD_BYTES:
            return False
        return False

    def _load(self, data: bytes) -> Loaded:
        """What a payload or meta expression loads for this packet."""
        known = instruction(data)
        if known.kind is None or known.kind.name not in {"payload", "meta"}:
            return False
        slot, size = getattr(known.spec, "to", None), getattr(known.spec, "size", 4)
        if slot is None:
            return False
        try:
            answer = known.kind.run(known.spec, self._scene)
            if answer is BREAK:
                return True
            return (slot, self._scene.registers.read(slot, size)) if answer is GO_ON else False
        except DoubtError:
            return False

    def _compared(self, data: bytes, slots: dict[int, bytes]) -> bool | None:
        """Whether a comparison holds; None: this is for the walk to say."""
        head = data[:CMP_HEAD_BYTES]
        if head not in self._heads:
            self._heads[head] = _cmp_head(data)
        known = self._heads[head]
        if known is None:
            return None
        slot, operation, size = known
        value = slots.get(slot)
        if value is None or len(value) < size:
            return None
        same = value[:size] == data[CMP_HEAD_BYTES : CMP_HEAD_BYTES + size]
        return same == (operation == EQUAL)


def _cmp_head(data: bytes) -> tuple[int, int, int] | None:
    """Slot, operation and size of the value, where the attributes stand in the kernel's order."""
    spec = instruction(data).spec
    if not isinstance(spec, cmp.Spec) or spec.operation not in {EQUAL, NOT_EQUAL}:
        return None
    if data[CMP_HEAD_BYTES : CMP_HEAD_BYTES + len(spec.value)] != spec.value:
        return None
    if len(data) != CMP_HEAD_BYTES + (len(spec.value) + 3 & ~3) and len(data) != CMP_HEAD_BYTES + len(
        spec.value
    ):
        return None
    return spec.slot, spec.operation, len(spec.value)
