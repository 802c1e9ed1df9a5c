"""A rule of iptables: which packets it is for, and what becomes of them."""

from dataclasses import dataclass

from kubectl_packetpath.packet import Address
from kubectl_packetpath.walk.xtables.extension import Extension

INVERT_IN, INVERT_OUT, INVERT_SOURCE, INVERT_DESTINATION, INVERT_FRAGMENT, INVERT_PROTOCOL = (
    0x01, 0x02, 0x08, 0x10, 0x20, 0x40
)  # fmt: skip
FRAGMENT4 = 0x01
PROTOCOL6 = 0x01
GOTO = {4: 0x02, 6: 0x04}
"""The flag that turns a jump into a goto."""

DROP, ACCEPT, QUEUE, RETURN = -1, -2, -4, -5
VERDICTS = {DROP: "DROP", ACCEPT: "ACCEPT", QUEUE: "QUEUE", RETURN: "RETURN"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """To the chain whose first rule stands at this offset."""

    offset: int
    goto: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """A verdict that needs no target file."""

    name: str
    """ACCEPT, DROP, QUEUE or RETURN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoTarget:
    """The rule only counts: it falls through to the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, decoded."""

    family: int
    source: tuple[Address, Address]
    """Address and mask; the mask may have holes."""
    destination: tuple[Address, Address]
    in_device: tuple[bytes, bytes]
    """Pattern and mask."""
    out_device: tuple[bytes, bytes]
    protocol: int
    """0: any."""
    flags: int
    invert: int
    matches: tuple[Extension, ...]
    target: Extension | Standard | Jump | NoTarget
    packets: int
    octets: int
    raw: bytes
