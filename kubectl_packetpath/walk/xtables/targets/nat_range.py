"""The range of addresses and ports that a NAT rule may choose from, as the kernel holds it.

Kernel: include/uapi/linux/netfilter/nf_nat.h
"""

import struct

from kubectl_packetpath.walk.nat import NatRange
from kubectl_packetpath.walk.xtables.extension import Extension
from kubectl_packetpath.walk.xtables.fields import address_of

MAP_ADDRESSES, PORTS, RANDOM, PERSISTENT, FULLY_RANDOM, OFFSET = 1, 2, 4, 8, 16, 32


def compact_range(data: bytes) -> NatRange:
    """`nf_nat_ipv4_multi_range_compat`: IPv4 only, one range."""
    (flags,) = struct.unpack_from("<I", data, 4)
    low, high = struct.unpack_from(">HH", data, 16)
    addresses = (address_of(data, 8, 4), address_of(data, 12, 4)) if flags & MAP_ADDRESSES else None
    return _range(flags, addresses, (low, high))


def full_range(extension: Extension, family: int) -> NatRange:
    """`nf_nat_range`, or `nf_nat_range2` with the base of shifted ports."""
    data = extension.data
    (flags,) = struct.unpack_from("<I", data)
    low, high = struct.unpack_from(">HH", data, 36)
    addresses = (address_of(data, 4, family), address_of(data, 20, family)) if flags & MAP_ADDRESSES else None
    base = struct.unpack_from(">H", data, 40)[0] if flags & OFFSET else None
    return _range(flags, addresses, (low, high), base)


def family_range(extension: Extension, family: int) -> NatRange:
    """What revision 0 of MASQUERADE, REDIRECT and NETMAP holds: the compact form for IPv4 only."""
    return compact_range(extension.data) if family == 4 else full_range(extension, family)


def numbered_range(extension: Extension, family: int) -> NatRange:
    """What SNAT and DNAT hold: the compact form in revision 0 only."""
    return compact_range(extension.data) if extension.revision == 0 else full_range(extension, family)


def _range(flags: int, addresses: object, ports: tuple[int, int], base: int | None = None) -> NatRange:
    return NatRange(
        addresses=addresses,  # type: ignore[arg-type]
        ports=ports if flags & PORTS else None,
        port_base=base,
        random=bool(flags & RANDOM),
        fully_random=bool(flags & FULLY_RANDOM),
        persistent=bool(flags & PERSISTENT),
    )


def range_words(wanted: NatRange) -> str:
    """`10.0.0.1-10.0.0.9:80-90`, `[fd00::1]:80`, `:80`."""
    text = ""
    if wanted.addresses is not None:
        first, last = wanted.addresses
        with_ports = wanted.ports is not None and first.version == 6
        text = f"[{first}" if with_ports else str(first)
        text += f"-{last}" if first != last else ""
        text += "]" if with_ports else ""
    if wanted.ports is not None:
        low, high = wanted.ports
        text += f":{low}" if low == high else f":{low}-{high}"
        text += f"/{wanted.port_base}" if wanted.port_base is not None else ""
    return text


def flag_words(wanted: NatRange) -> str:
    """` --random --persistent`, with a space before each."""
    return (
        " --random" * wanted.random
        + " --random-fully" * wanted.fully_random
        + " --persistent" * wanted.persistent
    )
