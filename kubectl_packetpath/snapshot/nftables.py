"""Nftables state as the kernel's netlink messages, indexed by table, chain and set.

A message is kept without `nlmsghdr` and `nfgenmsg`: the attributes alone. The nft back end of iptables
is the same thing with `match` and `target` expressions that hold xt structures.

Kernel: include/uapi/linux/netfilter/nf_tables.h, nf_tables_compat.h
"""

from dataclasses import dataclass

from kubectl_packetpath.snapshot.absent import Absent

NFPROTO_INET = 1
NFPROTO_IPV4 = 2
NFPROTO_ARP = 3
NFPROTO_NETDEV = 5
NFPROTO_BRIDGE = 7
NFPROTO_IPV6 = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class NftTable:
    """A table; a dormant one (flag 1) is not evaluated."""

    family: int
    """NFPROTO_*."""
    name: str
    flags: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NftHook:
    """Where a base chain hangs."""

    number: int
    """NF_INET_* (0 prerouting to 4 postrouting, 5 ingress), or NF_NETDEV_* in family netdev."""
    priority: int
    type: str
    """filter, nat or route."""
    policy: int | None
    """0 drop, 1 accept."""
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NftChain:
    """A chain and its rules."""

    family: int
    table: str
    name: str
    handle: int
    hook: NftHook | None = None
    policy_packets: int | None = None
    policy_bytes: int | None = None
    """Counters of a base chain's policy, where the kernel keeps them."""
    rules: tuple[bytes, ...] | Absent = ()
    """One NFT_MSG_NEWRULE each, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NftLookup:
    """The kernel's own answer for one key of a set or map."""

    key: bytes
    element: bytes | None
    """The element's attributes (as in `NftSet.elements`); None: not in the set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NftSet:
    """A set or map, named or anonymous."""

    family: int
    table: str
    name: str
    message: bytes
    """NFT_MSG_NEWSET: flags, key and data types, description."""
    elements: tuple[bytes, ...] | Absent = ()
    """Payload of one NFTA_LIST_ELEM each."""
    lookups: tuple[NftLookup, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NftObject:
    """A named counter, quota, limit, ct helper, … that rules and maps refer to."""

    family: int
    table: str
    name: str
    type: int
    """NFT_OBJECT_*."""
    message: bytes
    """NFT_MSG_NEWOBJ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredHook:
    """A function that the kernel calls at a hook, as `nft list hooks` shows it, in calling order."""

    family: int
    hook: int
    priority: int
    function: str
    module: str = ""
    chain: str = ""
    table: str = ""
    chain_family: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nftables:
    """All nftables state of one network namespace, or the part of it that was asked for."""

    generation: int
    complete: bool = True
    """False in a narrowed answer: what is not listed was not asked, rather than not there."""
    tables: tuple[NftTable, ...] = ()
    chains: tuple[NftChain, ...] = ()
    """All base chains, always; others as far as asked."""
    sets: tuple[NftSet, ...] = ()
    objects: tuple[NftObject, ...] = ()
    hooks: tuple[RegisteredHook, ...] | Absent = ()
