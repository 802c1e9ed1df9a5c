"""The TOS target: change the type of service in the IP header.

Kernel: net/netfilter/xt_DSCP.c
"""

from dataclasses import replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.xtables.extension import Extension, Target, marked


def unpack(extension: Extension, family: int) -> tuple[int, int]:
    """Value and mask."""
    del family
    return extension.data[0], extension.data[1]


def run(
    spec: tuple[int, int], here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Clear the mask, exclusive-or the value, and go on."""
    del here
    value, mask = spec
    changed = replace(packet, tos=(packet.tos & ~mask & 0xFF) ^ value)
    yield from marked(packet, changed, history, because, f"the type of service becomes 0x{changed.tos:02x}")


def words(spec: tuple[int, int]) -> str:
    """`--set-tos 0x10/0xff`."""
    return f"--set-tos 0x{spec[0]:02x}/0x{spec[1]:02x}"


TARGET = Target(name="TOS", revisions=(1,), unpack=unpack, run=run, words=words)
