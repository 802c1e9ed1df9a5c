"""IPVS virtual servers, and the connections that it keeps.

Kernel: include/uapi/linux/ip_vs.h, net/netfilter/ipvs/ip_vs_conn.c
"""

from dataclasses import dataclass

from kubectl_packetpath.snapshot.links import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class RealServer:
    """A destination of a virtual server."""

    address: Address
    port: int
    weight: int
    forwarding: str = "masquerade"
    """masquerade, local, tunnel, route or bypass."""
    active: int = 0
    inactive: int = 0
    persistent: int = 0
    upper_threshold: int = 0
    """From so many connections on it gets no new ones; 0: no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualServer:
    """An IPVS service."""

    family: int = 4
    protocol: int | None
    address: Address | None
    port: int | None
    firewall_mark: int | None = None
    scheduler: str
    flags: int = 0
    """IP_VS_SVC_F_*: 0x1 persistent, 0x2 hashed, 0x4 one packet, 0x8 and on scheduler flags."""
    timeout_seconds: int = 0
    """Of a persistent service."""
    netmask: int = 0xFFFFFFFF
    servers: tuple[RealServer, ...] = ()
    """In the order that the schedulers go by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IpvsConnection:
    """What IPVS has decided for one client: an entry of its connection table."""

    protocol: int
    """0 in a template of a virtual server with a firewall mark."""
    client: Address
    client_port: int
    """0 in a template: it pins a client of a persistent virtual server."""
    virtual: Address
    virtual_port: int
    server: Address
    server_port: int
    forwarding: str = "masquerade"
    tracked: bool = False
    """Its packets keep their conntrack entry (net.ipv4.vs.conntrack)."""
    one_packet: bool = False
    state: str = ""
    expires_seconds: int = 0
