"""Ipsets, and the lists of the `recent` match.

Kernel: include/uapi/linux/netfilter/ipset/ip_set.h, net/netfilter/xt_recent.c
"""

from dataclasses import dataclass

from kubectl_packetpath.snapshot.absent import Absent


@dataclass(frozen=True, slots=True, kw_only=True)
class IpsetTest:
    """The kernel's own answer to "is this in that set?"."""

    element: str
    """As `ipset test` takes it."""
    member: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ipset:
    """A set, with its members as the kernel's bytes."""

    index: int
    """The number by which rules refer to it."""
    name: str
    type: str
    family: int
    revision: int = 0
    head: bytes = b""
    """IPSET_ATTR_DATA of the header message."""
    members: tuple[bytes, ...] | Absent = ()
    """One IPSET_ATTR_DATA payload each."""
    tests: tuple[IpsetTest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentList:
    """A list of the `recent` match (/proc/net/xt_recent/NAME), as the kernel prints it."""

    name: str
    text: str
    jiffies: int = 0
    """The kernel clock when the list was read; its entries are in the same unit."""
    hertz: int = 250
    slack_seconds: int = 10
    """By how much `jiffies` may be wrong; 0 where the kernel itself told it, which the first recordings did not."""
