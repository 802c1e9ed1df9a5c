"""What a file below `expressions/` declares: how to read, run and print one kind of expression.

Kernel: include/net/netfilter/nf_tables.h struct nft_expr_ops
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from kubectl_packetpath.snapshot.netlink import attribute_map, text
from kubectl_packetpath.walk.nftables.registers import slot_of
from kubectl_packetpath.walk.nftables.scene import Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

S = TypeVar("S")


class Fields:
    """The attributes of an expression, by number."""

    __slots__ = ("_parts",)

    def __init__(self, data: bytes) -> None:
        self._parts = attribute_map(data)

    def __contains__(self, kind: int) -> bool:
        return kind in self._parts

    def bytes(self, kind: int) -> bytes:
        """The attribute as it is; ValueError where there is none."""
        if kind not in self._parts:
            raise ValueError(f"attribute {kind} is missing")
        return self._parts[kind]

    def number(self, kind: int, default: int | None = None) -> int:
        """A number."""
        if default is not None and kind not in self._parts:
            return default
        return int.from_bytes(self.bytes(kind), "big")

    def slot(self, kind: int) -> int:
        """The first slot of a register."""
        return slot_of(self.number(kind))

    def slot_or_none(self, kind: int) -> int | None:
        """The same, for an attribute that may be missing."""
        return self.slot(kind) if kind in self._parts else None

    def text(self, kind: int, default: str | None = None) -> str:
        """A name."""
        if default is not None and kind not in self._parts:
            return default
        return text(self.bytes(kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[S]):
    """One kind of expression."""

    name: str
    unpack: Callable[[bytes], S]
    """Read the attributes; ValueError or struct.error where they are not what is known."""
    run: Callable[[S, Scene], Answer]
    words: Callable[[S, Sentence], None]
    """Add to the rule's sentence what `nft list ruleset` prints for it."""
    pure: bool = False
    """It only loads, computes or compares: a rule that begins so may be skipped by its bytes."""
    observes: bool = False
    """It neither decides nor changes anything."""
    certainty: str = "exact"
    """`exact`, `forks` (chance, time or load decide), or what is not modelled, in words."""


AnyKind = Kind[Any]
BAD_BYTES = (struct.error, ValueError, KeyError, IndexError)
"""What an `unpack` raises on bytes that are not the attributes it knows."""
