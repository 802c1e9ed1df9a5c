"""The set match: whether the packet is in an ipset.

Kernel: net/netfilter/xt_set.c, include/uapi/linux/netfilter/xt_set.h
"""

import struct
from dataclasses import dataclass, replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.walk import ipsets
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided, inverted
from kubectl_packetpath.walk.xtables.fields import negation

INVERT, NOMATCH_OLD = 0x01, 0x10
SKIP_COUNTERS, SKIP_INNER_COUNTERS, MATCH_COUNTERS, RETURN_NOMATCH = 0x08, 0x10, 0x20, 0x80
COUNTERS = {1: ("", "eq"), 2: ("! ", "eq"), 3: ("", "lt"), 4: ("", "gt")}
"""How a counter is compared, by its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """A set and, per dimension, which end of the packet is looked up in it."""

    index: int
    by_source: tuple[bool, ...]
    invert: bool = False
    name: str = ""

    def __str__(self) -> str:
        """`NAME src,dst`."""
        return (
            f"{self.name or f'@{self.index}'} {','.join('src' if src else 'dst' for src in self.by_source)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What the rule asks for."""

    sides: Sides
    flags: int = 0
    packets: tuple[int, int] = (0, 0)
    """How to compare, and with what."""
    octets: tuple[int, int] = (0, 0)


def sides_of(data: bytes, offset: int) -> Sides:
    """Read `xt_set_info`."""
    index, dimensions, flags = struct.unpack_from("<HBB", data, offset)
    by_source = tuple(bool(flags >> dimension & 1) for dimension in range(1, dimensions + 1))
    return Sides(index=index, by_source=by_source, invert=bool(flags & INVERT))


def named(sides: Sides, state: NamespaceState) -> Sides:
    """With the set's name, where it is known."""
    found = state.ipset(sides.index)
    return sides if isinstance(found, Absent) else replace(sides, name=found.name)


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_set_info_match_v1`, `_v3` or `_v4`."""
    del family
    data, sides = extension.data, sides_of(extension.data, 0)
    if extension.revision < 3:
        old = data[3] & NOMATCH_OLD and extension.revision == 2
        return Spec(sides=sides, flags=RETURN_NOMATCH if old else 0)
    order = "<B7xQB7xQI" if extension.revision == 3 else "<QB7xQB7xI"
    first, second, third, fourth, flags = struct.unpack_from(order, data, 8)
    if extension.revision == 3:
        return Spec(sides=sides, flags=flags, packets=(first, second), octets=(third, fourth))
    return Spec(sides=sides, flags=flags, packets=(second, first), octets=(fourth, third))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Look it up."""
    asked = here.state.ipset(spec.sides.index)
    if isinstance(asked, Absent):
        return Undecided(f"ipset {spec.sides.index} is not known")
    lookup = ipsets.Lookup(
        here=here,
        packet=packet,
        by_source=spec.sides.by_source,
        return_nomatch=bool(spec.flags & RETURN_NOMATCH),
    )
    try:
        found: Decision = ipsets.contains(asked, lookup)
    except ipsets.Undecidable as reason:
        found = Undecided(str(reason))
    if found is True and (spec.packets[0] or spec.octets[0]):
        found = Undecided("the counters of the ipset decide")
    return inverted(found, spec.sides.invert)


def naming(spec: Spec, state: NamespaceState) -> Spec:
    """Rules know a set by its number."""
    return replace(spec, sides=named(spec.sides, state))


def words(spec: Spec) -> str:
    """`--match-set NAME src,dst`."""
    parts = [f"{negation(spec.sides.invert)}--match-set {spec.sides}"]
    if spec.flags & RETURN_NOMATCH:
        parts.append("--return-nomatch")
    if spec.flags & SKIP_COUNTERS:
        parts.append("! --update-counters")
    if spec.flags & SKIP_INNER_COUNTERS:
        parts.append("! --update-subcounters")
    for name, (how, value) in (("packets", spec.packets), ("bytes", spec.octets)):
        if how in COUNTERS:
            prefix, comparison = COUNTERS[how]
            parts.append(f"{prefix}--{name}-{comparison} {value}")
    return " ".join(parts)


MATCH = Match(
    name="set",
    revisions=(1, 2, 3, 4),
    unpack=unpack,
    holds=holds,
    words=words,
    naming=naming,
    certainty="exact for the types of ipset that are modelled; forks on counters",
)
