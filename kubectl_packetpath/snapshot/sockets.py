"""Sockets that can take a packet.

Kernel: include/uapi/linux/inet_diag.h, sock_diag.h
"""

from dataclasses import dataclass

from kubectl_packetpath.snapshot.links import Address

TCP_LISTEN = 10
TCP_CLOSE = 7
"""The state in which sock_diag shows an unconnected UDP socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """A bound socket; for TCP and SCTP a listening one."""

    family: int
    """4 or 6 (AF_INET, AF_INET6)."""
    protocol: int
    """IANA number: 6 TCP, 17 UDP, 132 SCTP, 1 and 58 ICMP, others raw."""
    address: Address
    """The bound address; unspecified (`0.0.0.0`, `::`) takes all."""
    port: int
    state: int
    remote: Address | None = None
    """Of a connected UDP socket, which takes datagrams of this peer only."""
    remote_port: int = 0
    device: int | None = None
    """Index of the device that the socket is bound to (SO_BINDTODEVICE)."""
    v6only: bool = False
    """An IPv6 socket that does not take IPv4."""
    uid: int = 0
    inode: int = 0
    backlog: int = 0
    """Largest accept queue of a listener."""
    queued: int = 0
    """Connections that wait to be accepted (listener) or bytes not yet read."""
    transparent: bool = False
