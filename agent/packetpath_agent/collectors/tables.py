"""A table of rtnetlink, read over our own socket and put into words by pyroute2's message classes.

Our socket tells interrupted dumps, which pyroute2's do not, and costs nothing to open in another namespace.
The raw attributes stay at hand for those that pyroute2 has no name for.

Kernel: net/core/rtnetlink.c
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address, ip_network
from typing import Any

from kubectl_packetpath.snapshot.links import Address
from kubectl_packetpath.snapshot.netlink import attribute_map
from kubectl_packetpath.snapshot.routing import Network
from packetpath_agent.wire import NETLINK_ROUTE, Netlink, again

IPV4, IPV6, BRIDGE = 2, 10, 7
FAMILIES = {IPV4: 4, IPV6: 6}
_HEADER = struct.Struct("=IHHII")


@dataclass(frozen=True)
class Row:
    """One message of a table."""

    message: Any
    """pyroute2's: the header's fields by key."""
    attributes: bytes

    def get(self, name: str) -> Any:
        """An attribute by the kernel's name; None: it is not there."""
        return self.message.get_attr(name)

    @cached_property
    def raw(self) -> dict[int, bytes]:
        """The attributes by number, as the kernel gave them."""
        return attribute_map(self.attributes)

    def number(self, kind: int) -> int | None:
        """A 32 bit attribute by number."""
        value = self.raw.get(kind)
        return None if value is None else int(struct.unpack_from("=I", value)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """How to ask for a table, and how long the fixed head of its messages is."""

    get: int
    message: Any
    head: int


@contextmanager
def opened() -> Iterator[Netlink]:
    """A socket for rtnetlink in the present namespace."""
    wire = Netlink(NETLINK_ROUTE)
    try:
        yield wire
    finally:
        wire.close()


def read(wire: Netlink, table: Table, wanted: bytes) -> list[Row]:
    """Every message of a dump, read again while the kernel says that it was interrupted."""
    return [_row(table, kind, body) for kind, body in again(lambda: wire.dump(table.get, wanted))]


def _row(table: Table, kind: int, body: bytes) -> Row:
    message = table.message(_HEADER.pack(_HEADER.size + len(body), kind, 0, 0, 0) + body)
    message.decode()
    return Row(message, body[table.head :])


def name(value: str | bytes | None) -> str:
    """A device's name: the kernel lets it be any bytes without blanks, and a pod chooses its own."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value or ""


def address(value: str | None) -> Address | None:
    """An address, unless it is not given or unspecified."""
    found = ip_address(value) if value else None
    return None if found is None or found.is_unspecified else found


def network(version: int, value: str | None, length: int) -> Network:
    """A network; where only its length is given, that of all addresses."""
    unspecified = "0.0.0.0" if version == 4 else "::"  # noqa: S104 - the network of all addresses
    return ip_network(f"{value or unspecified}/{length}", strict=False)


def number(value: Any, default: int = 0) -> int:
    """A number, or what stands for it where the kernel says nothing."""
    return default if value is None else int(value)
