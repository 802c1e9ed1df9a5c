"""The dscp match: the service class in the IP header.

Kernel: net/netfilter/xt_dscp.c
"""

from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match
from kubectl_packetpath.walk.xtables.fields import negation


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The six upper bits of the type of service."""

    dscp: int
    invert: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_dscp_info`."""
    del family
    return Spec(dscp=extension.data[0], invert=bool(extension.data[1]))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Compare."""
    del here
    return (packet.tos >> 2 == spec.dscp) != spec.invert


def words(spec: Spec) -> str:
    """`--dscp 0x2e`."""
    return f"{negation(spec.invert)}--dscp 0x{spec.dscp:02x}"


MATCH = Match(name="dscp", unpack=unpack, holds=holds, words=words)
