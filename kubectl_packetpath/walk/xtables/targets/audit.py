"""The AUDIT target: an audit record is written; the packet goes on.

Kernel: net/netfilter/xt_AUDIT.c
"""

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.xtables.extension import Extension, Target, noted


def unpack(extension: Extension, family: int) -> str:
    """Read its one field, if it has one."""
    del family
    return ("accept", "drop", "reject")[extension.data[0]]


def run(
    spec: str, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Go on."""
    del spec, here
    yield from noted(packet, history, because, "an audit record is written")


def words(spec: str) -> str:
    """Its options."""
    return f"--type {spec}"


TARGET = Target(name="AUDIT", unpack=unpack, run=run, words=words, observes=True)
