"""Network address translation: one mapping, applied to a connection and its packet.

Every NAT target and expression describes what it wants as a `NatRange`; this is the only place that
changes addresses and ports because of NAT, so legacy rules, nft rules and IPVS agree.

Kernel: net/netfilter/nf_nat_core.c, nf_nat_masquerade.c, nf_nat_redirect.c
"""

from dataclasses import dataclass
from enum import StrEnum

from kubectl_packetpath.packet import Address, Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes


class Manipulation(StrEnum):
    """Which end of the packet a mapping changes."""

    DESTINATION = "destination"
    SOURCE = "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class NatRange:
    """What a NAT rule asks for; the kernel's `nf_nat_range2`."""

    addresses: tuple[Address, Address] | None = None
    """First and last; None leaves the address alone, or lets `masquerade` or `redirect` choose it."""
    ports: tuple[int, int] | None = None
    port_base: int | None = None
    """For port shifting (`--to-destination A:first-last/base`)."""
    masquerade: bool = False
    redirect: bool = False
    netmap: bool = False
    """Map the network part one to one: `addresses` are first and last of the target network."""
    random: bool = False
    fully_random: bool = False
    persistent: bool = False


def rewrite(
    here: Here,
    packet: Packet,
    history: History | None,
    wanted: tuple[Manipulation, NatRange],
    because: tuple[Fact, ...],
) -> Outcomes:
    """Set up the mapping, change the packet and say so; forks where the kernel chooses an address."""
    raise NotImplementedError
