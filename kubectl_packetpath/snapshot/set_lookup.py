"""Finds a key among the elements of an nftables set, as the kernel's set back ends do.

Kernel: net/netfilter/nft_set_hash.c, nft_set_rbtree.c, nft_set_pipapo.c
"""

from bisect import bisect_right
from dataclasses import dataclass

from kubectl_packetpath.snapshot.netlink import attribute_map, attributes

NFTA_SET_FLAGS, NFTA_SET_DESC = 3, 9
NFTA_SET_DESC_CONCAT, NFTA_SET_FIELD_LEN = 2, 1
NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_FLAGS, NFTA_SET_ELEM_KEY_END = 1, 3, 10
NFTA_DATA_VALUE = 1
SET_INTERVAL, SET_CONCAT = 0x04, 0x80
ELEMENT_INTERVAL_END, ELEMENT_CATCHALL = 0x01, 0x02


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    first: bytes
    last: bytes
    element: bytes


class SetIndex:
    """The elements of one set, ready to be asked."""

    def __init__(self, message: bytes, elements: tuple[bytes, ...]) -> None:
        described = attribute_map(message)
        flags = int.from_bytes(described.get(NFTA_SET_FLAGS, b"\0"), "big")
        self._fields = _field_lengths(described.get(NFTA_SET_DESC, b""))
        self._interval = bool(flags & SET_INTERVAL)
        self._exact: dict[bytes, bytes] = {}
        self._ends: set[bytes] = set()
        self._ranges: list[_Range] = []
        self._catch_all: bytes | None = None
        for element in elements:
            self._add(element)
        self._starts = sorted(self._exact) if self._interval else []
        self._stops = sorted(self._ends)

    def _add(self, element: bytes) -> None:
        parts = attribute_map(element)
        flags = int.from_bytes(parts.get(NFTA_SET_ELEM_FLAGS, b"\0"), "big")
        if flags & ELEMENT_CATCHALL or NFTA_SET_ELEM_KEY not in parts:
            self._catch_all = element
            return
        key = attribute_map(parts[NFTA_SET_ELEM_KEY])[NFTA_DATA_VALUE]
        if flags & ELEMENT_INTERVAL_END:
            self._ends.add(key)
        elif NFTA_SET_ELEM_KEY_END in parts:
            last = attribute_map(parts[NFTA_SET_ELEM_KEY_END])[NFTA_DATA_VALUE]
            self._ranges.append(_Range(first=key, last=last, element=element))
        elif self._interval and len(self._fields) > 1:
            self._ranges.append(_Range(first=key, last=key, element=element))
        else:
            self._exact[key] = element

    def find(self, key: bytes) -> bytes | None:
        """The element that holds this key; None: it is not in the set."""
        for each in self._ranges:
            if self._within(key, each):
                return each.element
        found = self._in_interval(key) if self._interval else self._exact.get(key)
        return self._catch_all if found is None else found

    def _in_interval(self, key: bytes) -> bytes | None:
        at = bisect_right(self._starts, key) - 1
        if at < 0:
            return None
        start = self._starts[at]
        stop = bisect_right(self._stops, key) - 1
        if stop >= 0 and self._stops[stop] > start:
            return None
        return self._exact[start]

    def _within(self, key: bytes, wanted: _Range) -> bool:
        position = 0
        for length in self._fields or (len(key),):
            piece = slice(position, position + length)
            if not wanted.first[piece] <= key[piece] <= wanted.last[piece]:
                return False
            position += (length + 3) & ~3
        return True


def _field_lengths(description: bytes) -> tuple[int, ...]:
    concat = attribute_map(description).get(NFTA_SET_DESC_CONCAT)
    if concat is None:
        return ()
    return tuple(
        int.from_bytes(attribute_map(field)[NFTA_SET_FIELD_LEN], "big") for _, field in attributes(concat)
    )
