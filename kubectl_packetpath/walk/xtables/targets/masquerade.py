"""The MASQUERADE target: the connection comes from an address of the device that it leaves by.

Kernel: net/netfilter/xt_MASQUERADE.c, nf_nat_masquerade.c
"""

from dataclasses import replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.nat import Manipulation, NatRange, rewrite
from kubectl_packetpath.walk.xtables.extension import Extension, Target
from kubectl_packetpath.walk.xtables.targets.nat_range import family_range, flag_words


def unpack(extension: Extension, family: int) -> NatRange:
    """Read the range; only its ports and flags count."""
    return replace(family_range(extension, family), addresses=None, masquerade=True)


def run(
    spec: NatRange, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Set up the mapping; the nat chain ends."""
    for outcome in rewrite(here, packet, history, (Manipulation.SOURCE, spec), because):
        yield replace(outcome, verdict="accept")


def words(spec: NatRange) -> str:
    """`--to-ports 1024-65535 --random-fully`."""
    ports = ""
    if spec.ports is not None:
        low, high = spec.ports
        ports = f"--to-ports {low}" if low == high else f"--to-ports {low}-{high}"
    return f"{ports}{flag_words(spec)}".strip()


TARGET = Target(name="MASQUERADE", unpack=unpack, run=run, words=words)
