"""The CHECKSUM target: the checksum is filled in; the packet goes on.

Kernel: net/netfilter/xt_CHECKSUM.c
"""

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.xtables.extension import Extension, Target, noted


def unpack(extension: Extension, family: int) -> None:
    """Read its one field, if it has one."""
    del extension, family


def run(
    spec: None, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Go on."""
    del spec, here
    yield from noted(packet, history, because, "the checksum is filled in")


def words(spec: None) -> str:
    """Its options."""
    del spec
    return "--checksum-fill"


TARGET = Target(name="CHECKSUM", unpack=unpack, run=run, words=words, observes=True)
