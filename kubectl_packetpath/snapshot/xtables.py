"""Tables of the legacy iptables back end: the kernel's blob, or the chains of it that were read.

Kernel: include/uapi/linux/netfilter_ipv4/ip_tables.h, netfilter_ipv6/ip6_tables.h, x_tables.h
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyChain:
    """A chain cut out of the blob."""

    name: str
    offset: int
    """Where its first rule stands in the blob: jumps name this number."""
    hook: int | None = None
    """NF_INET_* number of a built-in chain."""
    rules: tuple[bytes, ...] = ()
    """One `ipt_entry` or `ip6t_entry` each, matches and target included; the last one is the policy
    of a built-in chain, or the implied return of another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyTable:
    """One table (`filter`, `nat`, …) of one family."""

    family: int
    """4 or 6."""
    name: str
    valid_hooks: int
    """Bit N: the table has a chain at hook N."""
    hook_entry: tuple[int, ...]
    """Offset of the first rule of each of the five hooks."""
    underflow: tuple[int, ...]
    """Offset of the policy of each of the five hooks."""
    blob: bytes | None = None
    """All entries as the kernel gave them; None when only `chains` were read."""
    chains: tuple[LegacyChain, ...] = ()
    """The chains that a question touched."""
