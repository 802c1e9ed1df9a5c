"""The TCPMSS target: lower the segment size that a SYN announces; the packet goes on.

Kernel: net/netfilter/xt_TCPMSS.c
"""

import struct

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.xtables.extension import Extension, Target, noted

TO_PATH_MTU = 0xFFFF


def unpack(extension: Extension, family: int) -> int:
    """Read `xt_tcpmss_info`."""
    del family
    size: int = struct.unpack_from("<H", extension.data)[0]
    return size


def run(
    spec: int, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Go on; the size of later segments is all that changes."""
    del here
    size = "the path MTU" if spec == TO_PATH_MTU else f"{spec} bytes"
    yield from noted(packet, history, because, f"the TCP segment size is limited to {size}")


def words(spec: int) -> str:
    """`--clamp-mss-to-pmtu` or `--set-mss 1400`."""
    return "--clamp-mss-to-pmtu" if spec == TO_PATH_MTU else f"--set-mss {spec}"


TARGET = Target(name="TCPMSS", unpack=unpack, run=run, words=words, observes=True)
