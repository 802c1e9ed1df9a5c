"""The mark match: whether the packet carries this mark.

Kernel: net/netfilter/xt_mark.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match
from kubectl_packetpath.walk.xtables.fields import marks, negation


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Value and mask."""

    mark: int
    mask: int
    invert: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_mark_mtinfo1` (`xt_connmark_mtinfo1` is the same)."""
    del family
    mark, mask, invert = struct.unpack_from("<IIB", extension.data)
    return Spec(mark=mark, mask=mask, invert=bool(invert))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Compare under the mask."""
    del here
    return (packet.mark & spec.mask == spec.mark) != spec.invert


def words(spec: Spec) -> str:
    """`--mark 0x4000/0x4000`."""
    return f"{negation(spec.invert)}--mark {marks(spec.mark, spec.mask)}"


MATCH = Match(name="mark", revisions=(1,), unpack=unpack, holds=holds, words=words)
