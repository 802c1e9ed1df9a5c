"""The REDIRECT target: the connection goes to the node itself.

Kernel: net/netfilter/xt_REDIRECT.c, nf_nat_redirect.c
"""

from dataclasses import replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.nat import Manipulation, NatRange, rewrite
from kubectl_packetpath.walk.xtables.extension import Extension, Target
from kubectl_packetpath.walk.xtables.targets.masquerade import words
from kubectl_packetpath.walk.xtables.targets.nat_range import family_range


def unpack(extension: Extension, family: int) -> NatRange:
    """Read the range; only its ports and flags count."""
    return replace(family_range(extension, family), addresses=None, redirect=True)


def run(
    spec: NatRange, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Set up the mapping; the nat chain ends."""
    for outcome in rewrite(here, packet, history, (Manipulation.DESTINATION, spec), because):
        yield replace(outcome, verdict="accept")


TARGET = Target(name="REDIRECT", unpack=unpack, run=run, words=words)
