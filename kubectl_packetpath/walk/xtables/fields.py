"""Fields that many kernel structures share, read and put into words."""

from ipaddress import IPv4Address, IPv6Address

from kubectl_packetpath.packet import Address, Packet
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.walk.xtables.extension import Decision, Undecided, inverted

PLAIN = frozenset("_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
FIRST_UNPRIVILEGED_PORT = 1024


def c_string(data: bytes) -> str:
    """Text up to the first zero byte; what is not text comes out escaped."""
    return data.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


def address_of(data: bytes, offset: int, family: int) -> Address:
    """An address from `union nf_inet_addr`."""
    if family == 4:
        return IPv4Address(data[offset : offset + 4])
    return IPv6Address(data[offset : offset + 16])


def prefix_length(mask: Address) -> int | None:
    """The length of a contiguous mask; None for one with holes."""
    bits = mask.max_prefixlen
    missing = (1 << bits) - 1 - int(mask)
    return bits - missing.bit_length() if missing & (missing + 1) == 0 else None


def network(address: Address, mask: Address) -> str:
    """`10.0.0.0/8`, or with the mask written out where it has holes."""
    length = prefix_length(mask)
    return f"{address}/{mask if length is None else length}"


def within(address: Address, wanted: Address, mask: Address) -> bool:
    """Whether an address equals another one under a mask."""
    return address.version == wanted.version and int(address) & int(mask) == int(wanted)


def quoted(text: str) -> str:
    """A word as `iptables-save` prints it."""
    if text and PLAIN.issuperset(text):
        return text
    escaped = "".join(f"\\{character}" if character in "\"\\'" else character for character in text)
    return f'"{escaped}"'


def negation(invert: bool) -> str:
    """`! ` where the test is turned round."""
    return "! " if invert else ""


def marks(value: int, mask: int) -> str:
    """`0x4000/0x4000`, or `0x1` where all bits count."""
    return f"0x{value:x}" if mask == 0xFFFFFFFF else f"0x{value:x}/0x{mask:x}"


def port_span(span: tuple[int, int]) -> str:
    """`80`, or `80:90`."""
    return str(span[0]) if span[0] == span[1] else f"{span[0]}:{span[1]}"


def source_port_in(packet: Packet, spans: tuple[tuple[int, int], ...], invert: bool = False) -> Decision:
    """Whether the source port is in one of these ranges; undecided while the kernel has yet to choose it."""
    if spans == ((0, 0xFFFF),):
        return not invert
    if packet.sport is None or packet.sport_chosen:
        if packet.sport_chosen and all(last < FIRST_UNPRIVILEGED_PORT for _, last in spans):
            return invert
        return Undecided("the source port is not known")
    return inverted(any(first <= packet.sport <= last for first, last in spans), invert)


def destination_port_in(packet: Packet, spans: tuple[tuple[int, int], ...], invert: bool = False) -> Decision:
    """Whether the destination port is in one of these ranges."""
    if spans == ((0, 0xFFFF),):
        return not invert
    if packet.dport is None:
        return Undecided("the destination port is not known")
    return inverted(any(first <= packet.dport <= last for first, last in spans), invert)


def device_name(link: Link | None) -> bytes:
    """A device's name as the kernel compares it: 16 bytes; all zero where there is no device."""
    return (link.name.encode() if link is not None else b"")[:15].ljust(16, b"\0")


def device_is(name: bytes, pattern: bytes, mask: bytes) -> bool:
    """Whether a device's name fits a pattern under its mask."""
    return all((a ^ b) & m == 0 for a, b, m in zip(name, pattern, mask, strict=True))


def device_pattern(pattern: bytes, mask: bytes) -> str:
    """`eth0`, or `veth+` where only a beginning counts."""
    words = ""
    for position, (letter, counts) in enumerate(zip(pattern, mask, strict=True)):
        if not counts:
            return words + ("+" if position == 0 or pattern[position - 1] else "")
        if letter:
            words += chr(letter)
    return words
