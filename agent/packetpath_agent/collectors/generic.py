"""Generic netlink: families found without making the kernel load them.

Asking for a family by its name loads its module; an observer reads the list of all families instead.

Kernel: net/netlink/genetlink.c
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager

from kubectl_packetpath.snapshot.netlink import attribute_map, text
from packetpath_agent.wire import NETLINK_GENERIC, Netlink, again

CONTROL, GET_FAMILY = 16, 3
FAMILY_ID, FAMILY_NAME = 1, 2
_HEAD = 4


class Family:
    """A family of generic netlink in the present namespace."""

    def __init__(self, wire: Netlink, number: int) -> None:
        self._wire, self._number = wire, number

    def dump(self, command: int, wanted: bytes = b"") -> list[dict[int, bytes]]:
        """The attributes of each answer."""
        payload = struct.pack("=BBH", command, 1, 0) + wanted
        return [
            attribute_map(body[_HEAD:]) for _, body in again(lambda: self._wire.dump(self._number, payload))
        ]


@contextmanager
def family(name: str) -> Iterator[Family | None]:
    """The family of this name; None: the kernel has not loaded it."""
    wire = Netlink(NETLINK_GENERIC)
    try:
        listed = Family(wire, CONTROL).dump(GET_FAMILY)
        numbers = {text(each[FAMILY_NAME]): struct.unpack("=H", each[FAMILY_ID])[0] for each in listed}
        yield Family(wire, numbers[name]) if name in numbers else None
    finally:
        wire.close()
