"""The TRACE target: the kernel reports every rule that the packet meets; the packet goes on.

Kernel: net/netfilter/xt_TRACE.c
"""

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.xtables.extension import Extension, Target, noted


def unpack(extension: Extension, family: int) -> None:
    """There is nothing to read."""
    del extension, family


def run(
    spec: None, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Go on."""
    del spec, here
    yield from noted(packet, history, because, "traced by the kernel")


def words(spec: None) -> str:
    """It has no options."""
    del spec
    return ""


TARGET = Target(name="TRACE", unpack=unpack, run=run, words=words, observes=True)
