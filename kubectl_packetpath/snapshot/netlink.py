"""Netlink attributes: the one shape in which the kernel hands out its bigger tables.

Kernel: include/uapi/linux/netlink.h
"""

import struct
from collections.abc import Iterator

_HEAD = struct.Struct("=HH")
_TYPE = 0x3FFF


class NetlinkError(ValueError):
    """The bytes are not a run of netlink attributes."""


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and payload of each attribute, in order."""
    position, size, unpack = 0, len(data), _HEAD.unpack_from
    while position + 4 <= size:
        length, kind = unpack(data, position)
        if length < 4 or position + length > size:
            raise NetlinkError(f"an attribute at {position} says that it is {length} bytes long")
        yield kind & _TYPE, data[position + 4 : position + length]
        position += (length + 3) & ~3


def attribute_map(data: bytes) -> dict[int, bytes]:
    """The last attribute of each type."""
    return dict(attributes(data))


def text(value: bytes) -> str:
    """A name as the kernel keeps it: up to the first zero byte, nothing assumed about its encoding."""
    return value.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded."""
    return _HEAD.pack(len(payload) + 4, kind) + payload + bytes(-len(payload) % 4)
