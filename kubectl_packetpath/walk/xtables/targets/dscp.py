"""The DSCP target: set the service class in the IP header.

Kernel: net/netfilter/xt_DSCP.c
"""

from dataclasses import replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.xtables.extension import Extension, Target, marked


def unpack(extension: Extension, family: int) -> int:
    """The class."""
    del family
    return extension.data[0]


def run(
    spec: int, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Set it and go on."""
    del here
    changed = replace(packet, tos=packet.tos & 3 | spec << 2 & 0xFC)
    yield from marked(packet, changed, history, because, f"the DSCP class becomes 0x{spec:02x}")


def words(spec: int) -> str:
    """`--set-dscp 0x2e`."""
    return f"--set-dscp 0x{spec:02x}"


TARGET = Target(name="DSCP", unpack=unpack, run=run, words=words)
