"""The TCPOPTSTRIP target: TCP options are removed; the packet goes on.

Kernel: net/netfilter/xt_TCPOPTSTRIP.c
"""

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.xtables.extension import Extension, Target, noted


def unpack(extension: Extension, family: int) -> bytes:
    """Read its one field, if it has one."""
    del family
    return extension.data[:32]


def run(
    spec: bytes, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Go on."""
    del spec, here
    yield from noted(packet, history, because, "TCP options are removed")


def words(spec: bytes) -> str:
    """Its options."""
    bits = int.from_bytes(spec, "little")
    names = (str(bit) for bit in range(256) if bits >> bit & 1)
    return f"--strip-options {','.join(names)}"


TARGET = Target(name="TCPOPTSTRIP", unpack=unpack, run=run, words=words, observes=True)
