"""The tos match: the type of service in the IP header.

Kernel: net/netfilter/xt_dscp.c
"""

from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match
from kubectl_packetpath.walk.xtables.fields import negation


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Value and mask."""

    mask: int
    value: int
    invert: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_tos_match_info`."""
    del family
    mask, value, invert = extension.data[:3]
    return Spec(mask=mask, value=value, invert=bool(invert))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Compare under the mask."""
    del here
    return (packet.tos & spec.mask == spec.value) != spec.invert


def words(spec: Spec) -> str:
    """`--tos 0x10/0x3f`."""
    return f"{negation(spec.invert)}--tos 0x{spec.value:02x}/0x{spec.mask:02x}"


MATCH = Match(name="tos", revisions=(1,), unpack=unpack, holds=holds, words=words)
