"""Network devices and their addresses.

Kernel: include/uapi/linux/if_link.h, if_addr.h, if_bridge.h
"""

from dataclasses import dataclass
from fractions import Fraction
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

IFF_UP = 0x1
IFF_LOOPBACK = 0x8
IFF_NOARP = 0x80
IFF_PROMISC = 0x100
IFF_RUNNING = 0x40
IFF_LOWER_UP = 0x10000

BRIDGE_PORT_FORWARDING = 3
"""The spanning tree state in which a bridge port passes frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vxlan:
    """What a VXLAN device does to a frame."""

    vni: int
    local: Address | None = None
    remote: Address | None = None
    """The default destination or multicast group; None when only FDB entries name peers."""
    port: int
    """UDP destination port."""
    underlay: int | None = None
    """Index of the device that the outer packet is bound to."""
    learning: bool = True
    collect_metadata: bool = False
    """True for a device driven by routes or eBPF (`external`): its VNI comes with each packet."""
    l3miss: bool = False
    ttl: int = 0
    tos: int = 0
    udp_checksum: bool = True
    port_range: tuple[int, int] | None = None
    """Range of the outer source ports; None: the host's own for local ports."""
    df: str = "unset"
    """Whether an outer IPv4 packet may be fragmented: unset (it may), set, or inherit from the packet inside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """Settings of a bridge itself."""

    vlan_filtering: bool = False
    nf_call_iptables: bool = False
    """The bridge's own switch; the sysctl of the same name turns it on for all bridges."""
    nf_call_ip6tables: bool = False
    stp: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgePort:
    """Settings of a device as a port of its bridge (`bridge -d link`)."""

    state: int = BRIDGE_PORT_FORWARDING
    hairpin: bool = False
    learning: bool = True
    unicast_flood: bool = True
    multicast_flood: bool = True
    broadcast_flood: bool = True
    locked: bool = False
    """Takes only frames of link addresses that somebody has entered."""
    isolated: bool = False
    proxy_arp: bool = False
    neigh_suppress: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """An IPIP, SIT, GRE, IP6 tunnel or Geneve device."""

    local: Address | None = None
    remote: Address | None = None
    ttl: int = 0
    underlay: int | None = None
    key: int | None = None
    """Geneve VNI, or the GRE key of what is sent; None: without one."""
    input_key: int | None = None
    """The GRE key of what is taken."""
    port: int | None = None
    collect_metadata: bool = False
    tos: int = 0
    mark: int = 0
    """The mark by which the outer packet's route is looked up (`fwmark`)."""
    df: str = "set"
    """Whether the outer packet may be fragmented: set (it may not), unset, or inherit from the packet inside."""
    ignore_df: bool = False
    protocol: int | None = None
    """What an IPIP, SIT or IPv6 tunnel carries: 4 IPv4, 41 IPv6, 0 both."""
    encapsulation: int = 0
    """1 FOU, 2 GUE: the tunnel's packets travel in UDP."""
    encapsulation_limit: int | None = None
    """Of an IPv6 tunnel: a header says how many tunnels more the packet may enter."""
    checksum: bool = False
    sequence: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Netem:
    """A discipline that loses packets on purpose (`tc qdisc … netem`)."""

    loss: int = 0
    """How many of 2^32 packets are lost; 2^32 - 1: all."""
    unsure: bool = False
    """Which packets it loses or spoils cannot be said: it sits below another discipline, corrupts, or has a memory."""

    @property
    def share(self) -> Fraction:
        """Of all packets, those that are lost."""
        return Fraction(self.loss + 1, 1 << 32) if self.loss else Fraction(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A network device as its namespace sees it."""

    index: int
    name: str
    kind: str = ""
    """IFLA_INFO_KIND (`veth`, `bridge`, `vxlan`, …); empty for hardware and loopback."""
    mac: str = ""
    mtu: int = 0
    flags: int = 0
    """IFF_* bits."""
    operstate: str = ""
    master: int | None = None
    """Index of the bridge, bond or VRF that owns this device."""
    link: int | None = None
    """IFLA_LINK: the peer of a veth, the lower device of a VLAN, macvlan or tunnel."""
    link_netnsid: int | None = None
    """The namespace in which `link` is to be looked up; None: this one."""
    vxlan: Vxlan | None = None
    bridge: Bridge | None = None
    port: BridgePort | None = None
    tunnel: Tunnel | None = None
    vlan_id: int | None = None
    mode: str = ""
    """Mode of a macvlan or ipvlan, by its iproute2 name."""
    vrf_table: int | None = None
    xdp_program: int | None = None
    """Id of an attached XDP program."""
    has_tc_programs: bool = False
    """An eBPF program sits at the device's clsact or tcx hook and may decide about any packet."""
    group: int | None = None
    """By which rules may name several devices (`ip link set … group`); None: an older recording does not say."""
    netem: Netem | None = None
    """What loses packets on their way out of the device."""

    @property
    def is_up(self) -> bool:
        """Administratively up; the kernel sends and receives nothing on a device that is down."""
        return bool(self.flags & IFF_UP)

    @property
    def is_loopback(self) -> bool:
        """The namespace's `lo`."""
        return bool(self.flags & IFF_LOOPBACK)


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceAddress:
    """An address of a device."""

    link: int
    address: Address
    """The local address (IFA_LOCAL where there is one)."""
    prefix_length: int
    scope: int = 0
    """RT_SCOPE_*: 0 global, 253 link, 254 host."""
    flags: int = 0
    """IFA_F_* bits; 0x01 secondary, 0x08 dadfailed, 0x20 deprecated, 0x40 tentative."""
    peer: Address | None = None
