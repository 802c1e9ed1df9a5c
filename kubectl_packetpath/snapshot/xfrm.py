"""Encryption state: IPsec policies and associations, WireGuard peers. Never a key.

Kernel: include/uapi/linux/xfrm.h, wireguard.h
"""

from dataclasses import dataclass

from kubectl_packetpath.snapshot.links import Address
from kubectl_packetpath.snapshot.routing import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class XfrmTemplate:
    """What a policy demands of the packet."""

    source: Address | None
    destination: Address | None
    protocol: int
    mode: str
    """transport or tunnel."""
    reqid: int = 0
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class XfrmPolicy:
    """An IPsec policy (`ip xfrm policy`)."""

    source: Network
    destination: Network
    direction: str
    """in, out or fwd."""
    action: str
    """allow or block."""
    priority: int = 0
    protocol: int | None = None
    sport: int | None = None
    dport: int | None = None
    mark: int = 0
    mask: int = 0
    if_id: int = 0
    templates: tuple[XfrmTemplate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class XfrmState:
    """An IPsec association (`ip xfrm state`) without its keys."""

    source: Address
    destination: Address
    protocol: int
    spi: int
    mode: str
    reqid: int = 0
    if_id: int = 0
    udp_port: int | None = None
    """It travels in UDP to this port (NAT traversal)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireguardPeer:
    """A peer of a WireGuard device; its public key only."""

    public_key: str
    endpoint: Address | None = None
    endpoint_port: int | None = None
    allowed: tuple[Network, ...] = ()
    last_handshake: int = 0
    """Seconds since the epoch; 0: never."""
    rx_bytes: int = 0
    tx_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WireguardDevice:
    """A WireGuard device and its peers."""

    link: int
    listen_port: int = 0
    mark: int = 0
    peers: tuple[WireguardPeer, ...] = ()
    public_key: str = ""
    """The device's own public key; empty while it has no key."""
