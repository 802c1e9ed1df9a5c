"""Keys among the elements of a set, for each kind of set that the kernel has."""

import struct

from kubectl_packetpath.snapshot.netlink import attribute
from kubectl_packetpath.snapshot.set_lookup import (
    ELEMENT_CATCHALL,
    ELEMENT_INTERVAL_END,
    SET_CONCAT,
    SET_INTERVAL,
    SetIndex,
)


def message(flags: int, fields: tuple[int, ...] = ()) -> bytes:
    """A set's description."""
    described = b"".join(attribute(1, attribute(1, struct.pack("!I", length))) for length in fields)
    return attribute(3, struct.pack("!I", flags)) + attribute(9, attribute(2, described))


def element(key: bytes | None, *, flags: int = 0, end: bytes | None = None) -> bytes:
    """An element of a set."""
    data = b"" if key is None else attribute(1, attribute(1, key))
    data += attribute(3, struct.pack("!I", flags)) if flags else b""
    return data + (attribute(10, attribute(1, end)) if end is not None else b"")


def test_exact_keys() -> None:
    """A hash set holds just its keys."""
    index = SetIndex(message(0), (element(b"\0\0\0\1"), element(b"\0\0\0\5")))

    assert index.find(b"\0\0\0\5") == element(b"\0\0\0\5")
    assert index.find(b"\0\0\0\4") is None


def test_interval_ends_are_not_members() -> None:
    """An interval holds what lies from its start up to, not including, its end."""
    start, end = element(b"\0\0\0\x10"), element(b"\0\0\0\x20", flags=ELEMENT_INTERVAL_END)
    index = SetIndex(message(SET_INTERVAL), (end, start))

    found = [index.find(bytes([0, 0, 0, last])) for last in (0x0F, 0x10, 0x1F, 0x20)]

    assert found == [None, start, start, None]


def test_concatenated_ranges_hold_field_by_field() -> None:
    """Each field of a concatenation has a range of its own."""
    ranged = element(b"\x0a\0\0\0\0\x50\0\0", end=b"\x0a\0\0\xff\0\x5a\0\0")
    index = SetIndex(message(SET_INTERVAL | SET_CONCAT, (4, 2)), (ranged,))

    assert index.find(b"\x0a\0\0\x7f\0\x55\0\0") == ranged
    assert index.find(b"\x0a\0\0\x7f\0\x5b\0\0") is None


def test_catch_all_takes_what_is_left() -> None:
    """A catch-all element answers for every key that no other one holds."""
    rest = element(None, flags=ELEMENT_CATCHALL)
    index = SetIndex(message(0), (element(b"\0\0\0\1"), rest))

    assert index.find(b"\0\0\0\2") == rest
