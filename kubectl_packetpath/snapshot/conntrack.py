"""Tracked connections, kept as the kernel's messages.

Kernel: include/uapi/linux/netfilter/nfnetlink_conntrack.h
"""

from dataclasses import dataclass

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.links import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowKey:
    """What identifies one direction of a connection."""

    source: Address
    destination: Address
    protocol: int
    sport: int
    """Source port, or the ICMP identifier."""
    dport: int
    """Destination port, or ICMP type * 256 + code."""
    zone: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowAnswer:
    """What the kernel answered about one flow."""

    key: FlowKey
    message: bytes | None
    """Attributes of the entry (after nfgenmsg); None: no such connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuStatistics:
    """Connection tracking counters of one CPU (`conntrack -S`)."""

    cpu: int
    found: int = 0
    invalid: int = 0
    insert: int = 0
    insert_failed: int = 0
    drop: int = 0
    early_drop: int = 0
    error: int = 0
    search_restart: int = 0
    clash_resolve: int = 0
    chain_too_long: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFilter:
    """All connections to one address and port, as their clients sent them."""

    destination: Address
    protocol: int
    dport: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Taker:
    """Who answers a part of these connections, by their entries' reply direction."""

    address: Address
    port: int
    count: int
    """Entries; of TCP only those that are opening or open."""
    unanswered: int = 0
    """Of them, those that have seen no answer."""
    samples: tuple[bytes, ...] = ()
    """Attributes of a few of the entries (after nfgenmsg)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowCount:
    """Where existing connections to one address and port go."""

    key: FlowFilter
    takers: tuple[Taker, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conntrack:
    """The connection table of a namespace: all of it, or the flows that were asked about."""

    active: bool = True
    """Whether connections are tracked here at all: some rule or module has turned it on."""
    entries: tuple[bytes, ...] | Absent = ()
    """Attributes of each entry (after nfgenmsg)."""
    answers: tuple[FlowAnswer, ...] = ()
    flows: tuple[FlowCount, ...] = ()
    """What was asked about existing connections, where `entries` does not hold all of them."""
    count: int = 0
    maximum: int = 0
    statistics: tuple[CpuStatistics, ...] = ()
