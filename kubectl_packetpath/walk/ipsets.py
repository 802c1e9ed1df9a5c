"""Whether a packet is in an ipset.

A rule names for each dimension of the set whether the packet's source or its destination is looked up.

Kernel: net/netfilter/ipset/ip_set_core.c (ip_set_test), ip_set_hash_*.c, ip_set_bitmap_*.c, ip_set_list_set.c
"""

from dataclasses import dataclass
from functools import lru_cache

from kubectl_packetpath.packet import ICMP, ICMPV6, SCTP, TCP, UDP, Address, Packet
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.ipsets import Ipset
from kubectl_packetpath.snapshot.netlink import attribute_map, text
from kubectl_packetpath.walk.here import Here

IP, CIDR, PORT, PROTO, FLAGS, MARK, ETHER, NAME, IP2, CIDR2, IFACE = 1, 3, 4, 7, 8, 10, 17, 18, 20, 21, 23
NETMASK = 20
"""In a set's header."""
NOMATCH, PHYSICAL = 4, 2
FAMILIES = {2: 4, 10: 6}
UDPLITE = 136


class Undecidable(Exception):  # noqa: N818 - an answer of its own kind
    """The set's kind or a part of it is not known; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One element: the parts that its type has."""

    address: tuple[int, int] | None = None
    """Network and prefix length."""
    address2: tuple[int, int] | None = None
    port: int | None = None
    protocol: int | None = None
    mac: str = ""
    device: str = ""
    physical: bool = False
    mark: int | None = None
    name: str = ""
    nomatch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """The packet and its place, and per dimension whether its source counts."""

    here: Here
    packet: Packet
    by_source: tuple[bool, ...]
    return_nomatch: bool = False


def contains(asked: Ipset, lookup: Lookup) -> bool:
    """Whether the set holds the packet; raises `Undecidable`."""
    dimensions = asked.type.partition(":")[2].split(",")
    if asked.type == "list:set":
        return _in_list(asked, lookup)
    if len(lookup.by_source) < len(dimensions):
        return False
    if FAMILIES.get(asked.family, lookup.packet.family) != lookup.packet.family:
        return False
    if isinstance(asked.members, Absent):
        raise Undecidable(f'the members of ipset "{asked.name}" are not known')
    bits = lookup.packet.source.max_prefixlen
    best: tuple[int, Member] | None = None
    key = _key(asked, dimensions, lookup)
    if key is None:
        return False
    for member in _members(asked.members, bits):
        length = _fits(member, key)
        if length is not None and (best is None or length > best[0]):
            best = length, member
    if best is None:
        return False
    return best[1].nomatch == lookup.return_nomatch


def _in_list(asked: Ipset, lookup: Lookup) -> bool:
    if isinstance(asked.members, Absent):
        raise Undecidable(f'the members of ipset "{asked.name}" are not known')
    for member in _members(asked.members, 32):
        inner = lookup.here.state.ipset_named(member.name)
        if isinstance(inner, Absent):
            raise Undecidable(f'ipset "{member.name}" is not known')
        if contains(inner, lookup):
            return True
    return False


@lru_cache(maxsize=64)
def _members(members: tuple[bytes, ...], bits: int) -> tuple[Member, ...]:
    return tuple(_member(each, bits) for each in members)


def _member(data: bytes, bits: int) -> Member:
    parts = attribute_map(data)
    flags = int.from_bytes(parts.get(FLAGS, b""), "big")
    return Member(
        address=_network(parts, IP, CIDR, bits),
        address2=_network(parts, IP2, CIDR2, bits),
        port=int.from_bytes(parts[PORT], "big") if PORT in parts else None,
        protocol=parts[PROTO][0] if PROTO in parts else None,
        mac=parts.get(ETHER, b"").hex(":"),
        device=text(parts.get(IFACE, b"")),
        physical=bool(flags & PHYSICAL),
        mark=int.from_bytes(parts[MARK], "big") if MARK in parts else None,
        name=text(parts.get(NAME, b"")),
        nomatch=bool(flags & NOMATCH),
    )


def _network(parts: dict[int, bytes], address: int, length: int, bits: int) -> tuple[int, int] | None:
    if address not in parts:
        return None
    (packed,) = attribute_map(parts[address]).values()
    return int.from_bytes(packed, "big"), parts[length][0] if length in parts else bits


def _key(asked: Ipset, dimensions: list[str], lookup: Lookup) -> Member | None:
    """What the packet would be as an element; None: such a packet is in no such set."""
    packet = lookup.packet
    bits = packet.source.max_prefixlen
    parts: dict[str, object] = {}
    addresses = 0
    for dimension, by_source in zip(dimensions, lookup.by_source, strict=False):
        if dimension in {"ip", "net"}:
            address = packet.source if by_source else packet.destination
            masked = _masked(address, asked) if not addresses else int(address)
            parts["address2" if addresses else "address"] = (masked, bits)
            addresses += 1
        elif dimension == "port":
            port = _port(packet, by_source, plain=asked.type == "bitmap:port")
            if port is None:
                return None
            parts |= {"port": port, "protocol": packet.protocol}
        elif dimension == "iface":
            parts |= _devices(lookup.here, by_source)
        elif dimension == "mark":
            parts["mark"] = packet.mark
        elif dimension == "mac":
            if not packet.source_mac:
                raise Undecidable("the source MAC address is not known")
            parts["mac"] = packet.source_mac.lower()
        else:
            raise Undecidable(f'ipset "{asked.name}" is of type {asked.type}, which is not modelled')
    return Member(**parts)  # type: ignore[arg-type]


def _masked(address: Address, asked: Ipset) -> int:
    """Some sets keep only the network part of an address."""
    length = attribute_map(asked.head).get(NETMASK) if asked.head else None
    if not length or asked.type not in {"hash:ip", "bitmap:ip"}:
        return int(address)
    missing = address.max_prefixlen - length[0]
    return int(address) >> missing << missing


def _port(packet: Packet, by_source: bool, *, plain: bool) -> int | None:
    if packet.protocol in {TCP, UDP, SCTP, UDPLITE}:
        if plain and packet.protocol not in {TCP, UDP}:
            return None
        if by_source and (packet.sport is None or packet.sport_chosen):
            raise Undecidable("the source port is not known")
        return packet.sport if by_source else packet.dport
    if plain:
        return None
    if packet.protocol in {ICMP, ICMPV6}:
        return (packet.icmp_type or 0) * 256 + (packet.icmp_code or 0)
    return 0


def _devices(here: Here, by_source: bool) -> dict[str, object]:
    plain, physical = (
        (here.in_device, here.physical_in) if by_source else (here.out_device, here.physical_out)
    )
    return {"device": plain.name if plain else "", "name": physical.name if physical else ""}


def _fits(member: Member, key: Member) -> int | None:
    """How many bits of the addresses agree (the longest wins); None: it does not fit."""
    length = 0
    for held, wanted in ((member.address, key.address), (member.address2, key.address2)):
        if held is None or wanted is None:
            continue
        missing = wanted[1] - held[1]
        if held[0] >> missing != wanted[0] >> missing:
            return None
        length = length * 256 + held[1]
    if member.port is not None and member.port != key.port:
        return None
    if member.protocol is not None and member.port is not None and member.protocol != key.protocol:
        return None
    if member.device and member.device != (key.name if member.physical else key.device):
        return None
    if (member.mac and member.mac != key.mac) or (member.mark is not None and member.mark != key.mark):
        return None
    return length
