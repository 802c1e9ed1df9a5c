"""IPVS virtual servers.

Kernel: include/uapi/linux/ip_vs.h
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


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualServer:
    """An IPVS service."""

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
