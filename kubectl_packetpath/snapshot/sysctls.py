"""Kernel settings that change the path of a packet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sysctl:
    """One setting of a network namespace."""

    key: str
    """With slashes, as below /proc/sys: `net/ipv4/conf/eth0/rp_filter` (names may hold dots)."""
    value: str
