"""The mac match: the source address of the frame.

Kernel: net/netfilter/xt_mac.c
"""

from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import negation


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The hardware address."""

    address: str
    invert: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_mac_info`."""
    del family
    data = extension.data
    return Spec(address=data[:6].hex(":"), invert=any(data[8:12]))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Only what came by a device with hardware addresses has one; `!` does not help."""
    if here.in_device is None or not here.in_device.mac or here.in_device.is_loopback:
        return False
    if not packet.source_mac:
        return Undecided("the source MAC address is not known")
    return (packet.source_mac.lower() == spec.address) != spec.invert


def words(spec: Spec) -> str:
    """`--mac-source 00:11:22:33:44:55`."""
    return f"{negation(spec.invert)}--mac-source {spec.address}"


MATCH = Match(
    name="mac",
    unpack=unpack,
    holds=holds,
    words=words,
    certainty="exact; forks where the address is not known",
)
