"""The connlimit match: how many connections an address has.

Kernel: net/netfilter/xt_connlimit.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Address, Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import address_of, prefix_length

INVERT, BY_DESTINATION = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The most connections, counted per masked address."""

    mask: Address
    limit: int
    flags: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_connlimit_info`."""
    limit, flags = struct.unpack_from("<II", extension.data, 16)
    return Spec(mask=address_of(extension.data, 0, family), limit=limit, flags=flags)


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """The other connections decide."""
    del spec, here, packet
    return Undecided("the number of connections decides")


def words(spec: Spec) -> str:
    """`--connlimit-above 5 --connlimit-mask 32 --connlimit-saddr`."""
    option = "--connlimit-upto" if spec.flags & INVERT else "--connlimit-above"
    side = "--connlimit-daddr" if spec.flags & BY_DESTINATION else "--connlimit-saddr"
    return f"{option} {spec.limit} --connlimit-mask {prefix_length(spec.mask)} {side}"


MATCH = Match(
    name="connlimit", revisions=(1,), unpack=unpack, holds=holds, words=words, certainty="forks: load decides"
)
