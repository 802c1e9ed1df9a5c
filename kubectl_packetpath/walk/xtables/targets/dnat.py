"""The DNAT target: the connection goes to another destination.

Kernel: net/netfilter/xt_nat.c
"""

from dataclasses import replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.nat import Manipulation, NatRange, rewrite
from kubectl_packetpath.walk.xtables.extension import Target
from kubectl_packetpath.walk.xtables.targets.nat_range import flag_words, numbered_range, range_words


def run(
    spec: NatRange, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Set up the mapping; the nat chain ends."""
    for outcome in rewrite(here, packet, history, (Manipulation.DESTINATION, spec), because):
        yield replace(outcome, verdict="accept")


def words(spec: NatRange) -> str:
    """`--to-destination 10.0.0.1:80`."""
    return f"--to-destination {range_words(spec)}{flag_words(spec)}"


TARGET = Target(name="DNAT", revisions=(0, 1, 2), unpack=numbered_range, run=run, words=words)
