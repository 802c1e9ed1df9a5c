"""The iprange match: whether addresses lie in a range.

Kernel: net/netfilter/xt_iprange.c
"""

from dataclasses import dataclass

from kubectl_packetpath.packet import Address, Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match
from kubectl_packetpath.walk.xtables.fields import address_of, negation

SOURCE, DESTINATION, NOT_SOURCE, NOT_DESTINATION = 0x01, 0x02, 0x10, 0x20


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """First and last address of both ends."""

    source: tuple[Address, Address]
    destination: tuple[Address, Address]
    flags: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_iprange_mtinfo`."""
    low, high, to_low, to_high = (address_of(extension.data, at, family) for at in (0, 16, 32, 48))
    return Spec(source=(low, high), destination=(to_low, to_high), flags=extension.data[64])


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Compare as numbers."""
    del here
    return all(
        not spec.flags & asked or (int(first) <= int(address) <= int(last)) != bool(spec.flags & inverted)
        for address, (first, last), asked, inverted in (
            (packet.source, spec.source, SOURCE, NOT_SOURCE),
            (packet.destination, spec.destination, DESTINATION, NOT_DESTINATION),
        )
    )


def words(spec: Spec) -> str:
    """`--src-range 10.0.0.1-10.0.0.9`."""
    parts = []
    for option, (first, last), asked, inverted in (
        ("--src-range", spec.source, SOURCE, NOT_SOURCE),
        ("--dst-range", spec.destination, DESTINATION, NOT_DESTINATION),
    ):
        if spec.flags & asked:
            parts.append(f"{negation(bool(spec.flags & inverted))}{option} {first}-{last}")
    return " ".join(parts)


MATCH = Match(name="iprange", revisions=(1,), unpack=unpack, holds=holds, words=words)
