"""The realm match: the realm of the packet's route.

Kernel: net/netfilter/xt_realm.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import marks, negation


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Value and mask."""

    realm: int
    mask: int
    invert: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_realm_info`."""
    del family
    realm, mask, invert = struct.unpack_from("<IIB", extension.data)
    return Spec(realm=realm, mask=mask, invert=bool(invert))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Realms of routes are not recorded."""
    del spec, here, packet
    return Undecided("the realm of the route decides")


def words(spec: Spec) -> str:
    """`--realm 0x1`."""
    return f"{negation(spec.invert)}--realm {marks(spec.realm, spec.mask)}"


MATCH = Match(name="realm", unpack=unpack, holds=holds, words=words, certainty="forks: not recorded")
