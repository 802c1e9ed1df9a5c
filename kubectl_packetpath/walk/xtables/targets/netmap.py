"""The NETMAP target: one network is mapped onto another, address by address.

Kernel: net/netfilter/xt_NETMAP.c
"""

from dataclasses import replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Hook, Outcomes
from kubectl_packetpath.walk.nat import Manipulation, NatRange, rewrite
from kubectl_packetpath.walk.xtables.extension import Extension, Target
from kubectl_packetpath.walk.xtables.fields import network
from kubectl_packetpath.walk.xtables.targets.nat_range import family_range


def unpack(extension: Extension, family: int) -> NatRange:
    """Read the target network: its first and last address."""
    wanted = replace(family_range(extension, family), netmap=True)
    if wanted.addresses is None:
        raise ValueError("NETMAP without a network")
    return wanted


def run(
    spec: NatRange, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """The destination before routing, the source after it."""
    incoming = here.hook in {Hook.PREROUTING, Hook.OUTPUT}
    end = Manipulation.DESTINATION if incoming else Manipulation.SOURCE
    for outcome in rewrite(here, packet, history, (end, spec), because):
        yield replace(outcome, verdict="accept")


def words(spec: NatRange) -> str:
    """`--to 10.1.0.0/16`."""
    if spec.addresses is None:
        return ""
    first, last = spec.addresses
    every = (1 << first.max_prefixlen) - 1
    mask = type(first)(every ^ int(first) ^ int(last))
    text = network(first, mask)
    return f"--to {text}"


TARGET = Target(name="NETMAP", unpack=unpack, run=run, words=words)
