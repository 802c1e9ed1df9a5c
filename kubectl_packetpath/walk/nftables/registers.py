"""The registers of the nftables machine: 64 bytes in which a rule puts what it looks at.

A slot of four bytes may hold, instead of bytes, something that is not known (`Undecided`) or that the
kernel will choose by chance (`Choice`); whoever reads such a slot decides what that means for it.

Kernel: include/net/netfilter/nf_tables.h struct nft_regs, net/netfilter/nf_tables_api.c nft_parse_register
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

SIZE_BYTES = 64
SLOTS = SIZE_BYTES // 4
VERDICT_REGISTER = 0
FIRST_OF_FOUR, LAST_OF_SIXTEEN = 8, 4


@dataclass(frozen=True, slots=True)
class Undecided:
    """A value that nobody knows before the packet is really there."""

    reason: str
    possible: Sequence[int] = ()
    """The numbers among which it is, where that much is known."""
    big_endian: bool = True
    size: int = 2
    value: bytes = b""
    known: bytes = b""
    """As far as bits are known: the value, and a mask of those bits."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these numbers, each with the same chance, in four bytes."""

    numbers: Sequence[int]
    weighted: bool = True
    """False: each is possible, with a chance that is not known."""
    big_endian: bool = False
    """The bytes have been turned round."""

    def bytes_of(self, number: int) -> bytes:
        """A number as it stands in the register."""
        return number.to_bytes(4, "big" if self.big_endian else "little")

    def among(self, numbers: Sequence[int]) -> "Choice":
        """What is left once it is known to be one of these."""
        return replace(self, numbers=numbers)

    def share(self, count: int) -> Fraction | None:
        """The chance that it is one of so many."""
        return Fraction(count, len(self.numbers)) if self.weighted else None


Doubt = Undecided | Choice


class DoubtError(Exception):
    """A slot was read that does not hold bytes."""

    def __init__(self, slot: int, doubt: Doubt) -> None:
        super().__init__(doubt)
        self.slot = slot
        self.doubt = doubt


def slot_of(register: int) -> int:
    """The first slot of a register: 1 to 4 are 16 bytes each, 8 to 23 four bytes each."""
    if 1 <= register <= LAST_OF_SIXTEEN:
        return (register - 1) * 4
    if FIRST_OF_FOUR <= register < FIRST_OF_FOUR + SLOTS:
        return register - FIRST_OF_FOUR
    raise ValueError(f"there is no register {register} for data")


class Registers:
    """What one branch of a rule has loaded so far."""

    __slots__ = ("_bytes", "_doubts")

    def __init__(self) -> None:
        self._bytes = bytearray(SIZE_BYTES)
        self._doubts: dict[int, Doubt] = {}

    def copy(self) -> "Registers":
        """The same contents for another branch."""
        other = Registers()
        other._bytes[:] = self._bytes
        other._doubts = dict(self._doubts)
        return other

    def read(self, slot: int, size: int) -> bytes:
        """The bytes from here on; raises DoubtError where there are none."""
        if self._doubts:
            for each in range(slot, slot + (size + 3) // 4):
                if each in self._doubts:
                    raise DoubtError(each, self._doubts[each])
        return bytes(self._bytes[slot * 4 : slot * 4 + size])

    def write(self, slot: int, value: bytes | Doubt, size: int = 0) -> None:
        """Put a value here; bytes are filled up to whole slots, a doubt covers `size` bytes."""
        length = len(value) if isinstance(value, bytes) else size
        for each in range(slot, slot + (length + 3) // 4):
            self._doubts.pop(each, None)
        if isinstance(value, bytes):
            padded = value.ljust((length + 3) & ~3, b"\0")
            self._bytes[slot * 4 : slot * 4 + len(padded)] = padded
        elif isinstance(value, Choice):
            self._doubts[slot] = value
        else:
            for each in range(slot, slot + (length + 3) // 4):
                self._doubts[each] = value
