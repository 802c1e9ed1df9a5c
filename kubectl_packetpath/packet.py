"""A packet on its way, with what the kernel knows about it.

Never changed, only replaced: every step of a trace can show the packet before and after.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

from kubectl_packetpath.snapshot.ipvs import IpvsConnection

Address = IPv4Address | IPv6Address

ICMP, TCP, UDP, ICMPV6, SCTP = 1, 6, 17, 58, 132
PROTOCOL_NAMES = {
    ICMP: "icmp",
    TCP: "tcp",
    UDP: "udp",
    ICMPV6: "icmpv6",
    SCTP: "sctp",
    4: "ipip",
    41: "ipv6",
    47: "gre",
}
PROTOCOL_NUMBERS = {name: number for number, name in PROTOCOL_NAMES.items()}

TCP_SYN, TCP_ACK, TCP_RST, TCP_FIN = 0x02, 0x10, 0x04, 0x01


class State(StrEnum):
    """What connection tracking says of the packet (`ctstate`)."""

    NEW = "NEW"
    ESTABLISHED = "ESTABLISHED"
    RELATED = "RELATED"
    INVALID = "INVALID"
    UNTRACKED = "UNTRACKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One direction of a connection."""

    source: Address
    destination: Address
    protocol: int
    sport: int
    dport: int

    @property
    def reversed(self) -> "Flow":
        """The direction back."""
        return replace(
            self, source=self.destination, destination=self.source, sport=self.dport, dport=self.sport
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The connection that a packet belongs to, in the namespace where it is now.

    Attached by the conntrack stage and left behind when the packet leaves the namespace.
    """

    state: State
    original: Flow
    """The first packet's direction, as it was before any NAT here."""
    reply: Flow
    """What an answer will look like when it comes in: NAT shows as a difference to `original`."""
    is_reply: bool = False
    """This packet travels in the reply direction."""
    mark: int = 0
    zone: int = 0
    dnat_done: bool = False
    """The destination was decided (changed, or found to stay): later nat chains are not walked."""
    snat_done: bool = False
    confirmed: bool = False
    """It was in the table before this packet: nat chains are not walked at all."""
    entered: bool = False
    """This very packet put it there: it has left once, over loopback, and is back."""
    labels: int = 0
    expected_by: str = ""
    port_chosen: bool = False
    """SNAT chose another source port or ICMP id; `reply` does not know which."""
    balanced: bool = False
    """IPVS, not NAT, made the answer come from elsewhere: NAT leaves the destination alone."""

    @property
    def destination_changed(self) -> bool:
        """DNAT applies (IPS_DST_NAT)."""
        if self.balanced:
            return False
        if self.original.protocol in {ICMP, ICMPV6}:
            return self.reply.source != self.original.destination
        return (self.reply.source, self.reply.sport) != (self.original.destination, self.original.dport)

    @property
    def source_changed(self) -> bool:
        """SNAT applies (IPS_SRC_NAT); an ICMP message has an id in place of a source port."""
        if self.port_chosen:
            return True
        if self.original.protocol in {ICMP, ICMPV6}:
            ids_differ = self.reply.sport != self.original.sport
            return ids_differ or self.reply.destination != self.original.source
        return (self.reply.destination, self.reply.dport) != (self.original.source, self.original.sport)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """An IP packet."""

    source: Address
    destination: Address
    protocol: int
    """IANA number."""
    sport: int | None = None
    dport: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    icmp_id: int | None = None
    tcp_flags: int = TCP_SYN
    ttl: int = 64
    tos: int = 0
    size_bytes: int = 60
    """Length of the IP packet, headers included."""
    piece_bytes: int | None = None
    """It was cut: the length of its longest piece."""
    dont_fragment: bool = True
    fragment_offset: int = 0
    mark: int = 0
    """skb mark; does not leave the namespace over a wire (veth keeps it within one host only if set so)."""
    priority: int = 0
    source_mac: str = ""
    destination_mac: str = ""
    connection: Connection | None = None
    balanced: IpvsConnection | None = None
    """IPVS has handled it in this namespace, as part of this connection (`ipvs_property`)."""
    sport_chosen: bool = False
    """The source port is the kernel's choice (ephemeral or remapped): no rule can rely on its value."""
    uid: int | None = None
    """Owner of the local socket that sent it; None for a packet that came from outside."""
    gid: int | None = None
    inner: "Packet | None" = None
    """The packet that this one carries, with the link addresses of its frame where it is carried with them."""
    encapsulation: str = ""
    """How it is carried, by the kind of the device that wrapped it: `vxlan`, `ipip`, `wireguard`, …"""
    vni: int | None = None
    """VXLAN or Geneve network identifier, GRE key, or the SPI of ESP."""
    decrypted: bool = False
    """IPsec has decrypted it in this namespace."""
    asked: Address | None = None
    """Whose link address somebody out of sight has to tell, before the frame can be sent to it."""
    about: Flow | None = None
    """An ICMP error: the flow of the packet that it is about, as the sender of the error saw it."""
    about_mtu: int | None = None
    """An ICMP error about a packet that was too long: the longest that would pass."""
    sealed: tuple[str, str] | None = None
    """Encrypted by WireGuard: the public keys of the sender and of the only one who can open it."""

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.source.version

    @property
    def flow(self) -> Flow:
        """The tuple by which connection tracking knows this packet (ICMP: id, type * 256 + code)."""
        if self.icmp_type is not None:
            sport, dport = self.icmp_id or 0, self.icmp_type * 256 + (self.icmp_code or 0)
        else:
            sport, dport = self.sport or 0, self.dport or 0
        return Flow(
            source=self.source, destination=self.destination, protocol=self.protocol, sport=sport, dport=dport
        )

    @property
    def innermost(self) -> "Packet":
        """What a socket sent, below all that tunnels have put around it."""
        packet = self
        while packet.inner is not None:
            packet = packet.inner
        return packet

    def __str__(self) -> str:
        """For people: `tcp 10.0.0.1:40000 > 10.96.0.1:443`; what it carries stands in brackets."""
        name = PROTOCOL_NAMES.get(self.protocol, f"protocol {self.protocol}")
        ends = f"{name} {endpoint(self.source, self.sport)} > {endpoint(self.destination, self.dport)}"
        return ends if self.inner is None else f"{ends} ({self.wrapping}: {self.inner})"

    @property
    def wrapping(self) -> str:
        """How it carries another one: `vxlan 1`, `ipip`."""
        return self.encapsulation if self.vni is None else f"{self.encapsulation} {self.vni}"


def endpoint(address: Address, port: int | None) -> str:
    """`10.0.0.1:80`, `[fd00::1]:80`, or the bare address where there is no port."""
    if port is None:
        return str(address)
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
