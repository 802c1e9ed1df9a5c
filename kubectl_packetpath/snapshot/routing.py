"""Routes, policy rules, next hop objects, neighbours and forwarding databases.

Kernel: include/uapi/linux/rtnetlink.h, fib_rules.h, nexthop.h, neighbour.h
"""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from kubectl_packetpath.snapshot.links import Address

Network = IPv4Network | IPv6Network

TABLE_DEFAULT = 253
TABLE_MAIN = 254
TABLE_LOCAL = 255

NUD_INCOMPLETE = 0x01
NUD_REACHABLE = 0x02
NUD_STALE = 0x04
NUD_DELAY = 0x08
NUD_PROBE = 0x10
NUD_FAILED = 0x20
NUD_NOARP = 0x40
NUD_PERMANENT = 0x80

NTF_USE = 0x01
NTF_SELF = 0x02
NTF_MASTER = 0x04
NTF_PROXY = 0x08
NTF_EXT_LEARNED = 0x10
NTF_ROUTER = 0x80

RTNH_F_DEAD = 0x01
RTNH_F_ONLINK = 0x04
RTNH_F_LINKDOWN = 0x10


@dataclass(frozen=True, slots=True, kw_only=True)
class NextHop:
    """One way on of a route."""

    device: int | None = None
    gateway: Address | None = None
    """May be of the other family than the route (RTA_VIA)."""
    weight: int = 1
    """Share among the hops of a multipath route, 1 or more (`hops` + 1)."""
    flags: int = 0
    """RTNH_F_* bits."""
    encapsulation: str = ""
    """Name of a lightweight tunnel (`ip`, `mpls`, `seg6`, `bpf`) that the walk may not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route of any table, IPv4 or IPv6."""

    destination: Network
    table: int = TABLE_MAIN
    type: str = "unicast"
    """unicast, local, broadcast, anycast, multicast, blackhole, unreachable, prohibit, throw or nat."""
    scope: int = 0
    protocol: int = 0
    """RTPROT_*: 2 kernel, 3 boot, 4 static, 12 bird, 80 Felix, …"""
    metric: int = 0
    tos: int = 0
    preferred_source: Address | None = None
    source: Network | None = None
    """Source-specific IPv6 route (`from`)."""
    preference: int = 0
    """Of IPv6 routers among their like: 1 high, 0 medium, 3 low (RFC 4191)."""
    hops: tuple[NextHop, ...] = ()
    nexthop_id: int | None = None
    mtu: int | None = None
    flags: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NexthopObject:
    """A next hop object (`ip nexthop`), alone or a weighted group of others."""

    id: int
    hop: NextHop | None = None
    group: tuple[tuple[int, int], ...] = ()
    """(id, weight) of the members."""
    blackhole: bool = False
    fdb: bool = False
    resilient: bool = False
    """A group whose members keep their flows as long as those go on (`type resilient`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    """A routing policy rule (`ip rule`)."""

    family: int
    """4 or 6."""
    priority: int
    action: str = "to_table"
    """to_table, goto, nop, blackhole, unreachable or prohibit."""
    table: int = 0
    goto: int | None = None
    source: Network | None = None
    destination: Network | None = None
    mark: int = 0
    mask: int = 0
    iif: str = ""
    oif: str = ""
    tos: int = 0
    uid_range: tuple[int, int] | None = None
    protocol: int | None = None
    """IP protocol that the packet must have."""
    sport_range: tuple[int, int] | None = None
    dport_range: tuple[int, int] | None = None
    suppress_prefix_length: int | None = None
    suppress_group: int | None = None
    l3mdev: bool = False
    tunnel_id: int | None = None
    invert: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """An ARP or neighbour discovery entry."""

    link: int
    address: Address
    mac: str = ""
    """Empty for a device without link addresses, or while unresolved."""
    state: int = 0
    """NUD_* bits."""
    flags: int = 0
    """NTF_* bits; a proxy entry (NTF_PROXY) makes this node answer for the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardingEntry:
    """An entry of a bridge's or a tunnel device's forwarding database (`bridge fdb`)."""

    link: int
    mac: str
    master: int | None = None
    vlan: int | None = None
    state: int = 0
    flags: int = 0
    """NTF_* bits: NTF_SELF belongs to the device (VXLAN peers), NTF_MASTER to its bridge."""
    destination: Address | None = None
    """Outer destination of a VXLAN entry."""
    port: int | None = None
    vni: int | None = None
    underlay: int | None = None
    nexthop_id: int | None = None
