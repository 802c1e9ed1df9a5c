"""The devgroup match: the group of the devices.

Kernel: net/netfilter/xt_devgroup.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import marks, negation

SOURCE, NOT_SOURCE, DESTINATION, NOT_DESTINATION = 1, 2, 4, 8
DEFAULT = (0, 0xFFFFFFFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Group and mask of both devices."""

    flags: int
    source: tuple[int, int]
    destination: tuple[int, int]


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_devgroup_info`."""
    del family
    flags, group, mask, to_group, to_mask = struct.unpack_from("<5I", extension.data)
    return Spec(flags=flags, source=(group, mask), destination=(to_group, to_mask))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Whether each device that is asked for is in its group, or not if inverted."""
    del packet
    for bit, inverted, device, (group, mask) in (
        (SOURCE, NOT_SOURCE, here.in_device, spec.source),
        (DESTINATION, NOT_DESTINATION, here.out_device, spec.destination),
    ):
        if not spec.flags & bit or device is None:
            continue
        if device.group is None:
            return Undecided(f"the group of {device.name} is not recorded")
        if ((device.group ^ group) & mask == 0) == bool(spec.flags & inverted):
            return False
    return True


def words(spec: Spec) -> str:
    """`--src-group 0x1`; the one of all devices has its name from /etc/iproute2/group, as everywhere."""
    return " ".join(
        f"{negation(bool(spec.flags & inverted))}{option} {'default' if group == DEFAULT else marks(*group)}"
        for bit, inverted, option, group in (
            (SOURCE, NOT_SOURCE, "--src-group", spec.source),
            (DESTINATION, NOT_DESTINATION, "--dst-group", spec.destination),
        )
        if spec.flags & bit
    )


MATCH = Match(name="devgroup", unpack=unpack, holds=holds, words=words)
