"""The physdev match: by which ports of its bridge a bridged packet travels.

Kernel: net/netfilter/xt_physdev.c
"""

from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match
from kubectl_packetpath.walk.xtables.fields import device_is, device_name, device_pattern, negation

IN, OUT, BRIDGED, IS_IN, IS_OUT = 0x01, 0x02, 0x04, 0x08, 0x10


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Name patterns with their masks, and the questions asked (`what`, `invert`)."""

    came_in: tuple[bytes, bytes]
    goes_out: tuple[bytes, bytes]
    invert: int
    what: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_physdev_info`."""
    del family
    data = extension.data
    return Spec(
        came_in=(data[0:16], data[16:32]), goes_out=(data[32:48], data[48:64]), invert=data[64], what=data[65]
    )


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """A packet that no bridge handed up fits only what is asked with `!`."""
    del packet
    came, goes = here.physical_in, here.physical_out
    if came is None and goes is None:
        return spec.what & ~spec.invert == 0
    if spec.what & BRIDGED and (goes is not None) == bool(spec.invert & BRIDGED):
        return False
    if spec.what & IS_IN and (came is not None) == bool(spec.invert & IS_IN):
        return False
    if spec.what & IS_OUT and (goes is not None) == bool(spec.invert & IS_OUT):
        return False
    if (
        spec.what & IN
        and came is not None
        and device_is(device_name(came), *spec.came_in) == bool(spec.invert & IN)
    ):
        return False
    if not spec.what & OUT:
        return True
    if goes is None:
        return False
    return device_is(device_name(goes), *spec.goes_out) != bool(spec.invert & OUT)


def words(spec: Spec) -> str:
    """`--physdev-in veth+ --physdev-is-bridged`."""
    parts = []
    for bit, text in (
        (IS_IN, "--physdev-is-in"),
        (IN, f"--physdev-in {device_pattern(*spec.came_in)}"),
        (IS_OUT, "--physdev-is-out"),
        (OUT, f"--physdev-out {device_pattern(*spec.goes_out)}"),
        (BRIDGED, "--physdev-is-bridged"),
    ):
        if spec.what & bit:
            parts.append(negation(bool(spec.invert & bit)) + text)
    return " ".join(parts)


MATCH = Match(name="physdev", unpack=unpack, holds=holds, words=words)
