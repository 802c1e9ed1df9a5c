"""The bytes of a rule, read.

`passes` is what makes a chain of 10,000 rules cheap: it compares addresses and protocol in place, so only
the few rules that may be for the packet are looked at further.

Kernel: include/uapi/linux/netfilter_ipv4/ip_tables.h, netfilter_ipv6/ip6_tables.h; ip_packet_match() in
net/ipv4/netfilter/ip_tables.c, ip6_packet_match() in net/ipv6/netfilter/ip6_tables.c
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.xtables_blob import LAYOUTS
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Extension
from kubectl_packetpath.walk.xtables.fields import c_string, device_is, device_name
from kubectl_packetpath.walk.xtables.rule import (
    FRAGMENT4,
    GOTO,
    INVERT_DESTINATION,
    INVERT_FRAGMENT,
    INVERT_IN,
    INVERT_OUT,
    INVERT_PROTOCOL,
    INVERT_SOURCE,
    PROTOCOL6,
    VERDICTS,
    Jump,
    NoTarget,
    Rule,
    Standard,
)

_HEAD4 = struct.Struct("<4I64xHBB")
_HEAD6 = struct.Struct("<8Q64xHxBB")
_TARGET_AT = {4: struct.Struct("<88xH"), 6: struct.Struct("<140xH")}
_COMMENT, _TCP, _UDP = (name.ljust(30, b"\0") for name in (b"comment", b"tcp", b"udp"))
_PORTS = struct.Struct("<HH")
_SIZE = struct.Struct("<H")
_COUNTERS = struct.Struct("<QQ")
_ANY_DEVICE = bytes(32)
_DEVICES_AT = {4: 16, 6: 64}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a rule's head asks of a packet, in the kernel's byte order, made once per chain."""

    family: int
    source: tuple[int, ...]
    destination: tuple[int, ...]
    protocol: int
    dport: int | None
    fragment: bool
    in_name: bytes
    out_name: bytes


def probe_of(here: Here, packet: Packet) -> Probe:
    """The packet as `passes` wants it."""
    read = struct.Struct("<I" if packet.family == 4 else "<QQ").unpack
    return Probe(
        family=packet.family,
        source=read(packet.source.packed),
        destination=read(packet.destination.packed),
        protocol=packet.protocol,
        dport=packet.dport,
        fragment=packet.fragment_offset != 0,
        in_name=device_name(here.in_device),
        out_name=device_name(here.out_device),
    )


def candidates(rules: tuple[bytes, ...], start: int, probe: Probe) -> Iterator[int]:
    """Positions of the rules whose addresses and protocol are the packet's, from one position on."""
    if probe.family == 4:
        yield from _candidates4(rules, start, probe)
    else:
        yield from _candidates6(rules, start, probe)


def _candidates4(rules: tuple[bytes, ...], start: int, probe: Probe) -> Iterator[int]:
    unpack = _HEAD4.unpack_from
    (source,), (destination,), protocol = probe.source, probe.destination, probe.protocol
    for position in range(start, len(rules)):
        rule = rules[position]
        wanted, to, mask, to_mask, proto, flags, invert = unpack(rule)
        if invert or flags & FRAGMENT4:
            if not _head_fits(
                (source & mask == wanted, destination & to_mask == to, proto in {0, protocol}), proto, invert
            ):
                continue
            if flags & FRAGMENT4 and probe.fragment == bool(invert & INVERT_FRAGMENT):
                continue
        elif destination & to_mask != to or source & mask != wanted or (proto and proto != protocol):
            continue
        if _devices_fit(rule, 16, invert, probe) and not _other_port(rule, 112, probe.dport):
            yield position


def _candidates6(rules: tuple[bytes, ...], start: int, probe: Probe) -> Iterator[int]:
    unpack = _HEAD6.unpack_from
    (s1, s2), (d1, d2), protocol = probe.source, probe.destination, probe.protocol
    for position in range(start, len(rules)):
        rule = rules[position]
        f1, f2, t1, t2, m1, m2, n1, n2, proto, flags, invert = unpack(rule)
        if not flags & PROTOCOL6:
            proto = 0
        if invert:
            source_fits = s1 & m1 == f1 and s2 & m2 == f2
            destination_fits = d1 & n1 == t1 and d2 & n2 == t2
            if not _head_fits((source_fits, destination_fits, proto in {0, protocol}), proto, invert):
                continue
        elif (
            d2 & n2 != t2 or d1 & n1 != t1 or s1 & m1 != f1 or s2 & m2 != f2 or (proto and proto != protocol)
        ):
            continue
        if _devices_fit(rule, 64, invert, probe) and not _other_port(rule, 168, probe.dport):
            yield position


def _head_fits(fits: tuple[bool, bool, bool], protocol: int, invert: int) -> bool:
    """The rare case: something is turned round."""
    source, destination, same_protocol = fits
    return (
        source != bool(invert & INVERT_SOURCE)
        and destination != bool(invert & INVERT_DESTINATION)
        and (not protocol or same_protocol != bool(invert & INVERT_PROTOCOL))
    )


def _devices_fit(rule: bytes, at: int, invert: int, probe: Probe) -> bool:
    """Names are compared under their masks; a packet without a device has an empty name."""
    if rule[at + 32 : at + 64] == _ANY_DEVICE and not invert & (INVERT_IN | INVERT_OUT):
        return True
    came = device_is(probe.in_name, rule[at : at + 16], rule[at + 32 : at + 48])
    goes = device_is(probe.out_name, rule[at + 16 : at + 32], rule[at + 48 : at + 64])
    return came != bool(invert & INVERT_IN) and goes != bool(invert & INVERT_OUT)


def _other_port(rule: bytes, at: int, dport: int | None) -> bool:
    """Whether the rule is surely for another destination port: the usual shape, told without decoding."""
    if rule.startswith(_COMMENT, at + 2):
        at += rule[at] | rule[at + 1] << 8
    if dport is None or not rule.startswith((_TCP, _UDP), at + 2):
        return False
    first, last = _PORTS.unpack_from(rule, at + 36)
    is_tcp = rule[at + 2] == _TCP[0]
    inverted = rule[at + 32 + (11 if is_tcp else 8)] & 0x02
    return not inverted and not first <= dport <= last


def matches_of(family: int, rule: bytes) -> Iterator[Extension]:
    """The matches of a rule, in the order in which the kernel asks them."""
    (end,) = _TARGET_AT[family].unpack_from(rule)
    at = LAYOUTS[family].header
    while at < end:
        (size,) = _SIZE.unpack_from(rule, at)
        if size < 32 or at + size > end:
            raise ValueError(f"a match of {size} bytes")
        yield _extension(rule, at, size)
        at += size


def target_of(family: int, rule: bytes, following: int) -> Extension | Standard | Jump | NoTarget:
    """What a rule does; `following` is the offset of the entry behind it.

    A rule without a target is stored as a jump to that very entry.
    """
    (at,) = _TARGET_AT[family].unpack_from(rule)
    (size,) = _SIZE.unpack_from(rule, at)
    if size < 32 or at + size > len(rule):
        raise ValueError(f"a target of {size} bytes")
    found = _extension(rule, at, size)
    if found.name:
        return found
    (verdict,) = struct.unpack_from("<i", found.data)
    if verdict >= 0:
        _, flags, _ = fixed_fields(family, rule)
        return NoTarget() if verdict == following else Jump(offset=verdict, goto=bool(flags & GOTO[family]))
    if verdict not in VERDICTS:
        raise ValueError(f"verdict {verdict}")
    return Standard(name=VERDICTS[verdict])


def _extension(rule: bytes, at: int, size: int) -> Extension:
    return Extension(
        name=c_string(rule[at + 2 : at + 31]), revision=rule[at + 31], data=rule[at + 32 : at + size]
    )


def fixed_fields(family: int, rule: bytes) -> tuple[int, int, int]:
    """Protocol, flags and inversions."""
    *_, protocol, flags, invert = (_HEAD4 if family == 4 else _HEAD6).unpack_from(rule)
    if family == 6 and not flags & PROTOCOL6:
        protocol = 0
    return protocol, flags, invert


def counters_of(family: int, rule: bytes) -> tuple[int, int]:
    """Packets and bytes."""
    packets, size = _COUNTERS.unpack_from(rule, LAYOUTS[family].header - 16)
    return packets, size


def decode_rule(family: int, rule: bytes, following: int) -> Rule:
    """All of a rule; `following` is the offset of the entry behind it."""
    width, kind = (4, IPv4Address) if family == 4 else (16, IPv6Address)
    source, destination, source_mask, destination_mask = (
        kind(rule[at : at + width]) for at in range(0, 4 * width, width)
    )
    at = _DEVICES_AT[family]
    protocol, flags, invert = fixed_fields(family, rule)
    packets, size = counters_of(family, rule)
    return Rule(
        family=family,
        source=(source, source_mask),
        destination=(destination, destination_mask),
        in_device=(rule[at : at + 16], rule[at + 32 : at + 48]),
        out_device=(rule[at + 16 : at + 32], rule[at + 48 : at + 64]),
        protocol=protocol,
        flags=flags,
        invert=invert,
        matches=tuple(matches_of(family, rule)),
        target=target_of(family, rule, following),
        packets=packets,
        octets=size,
        raw=rule,
    )
