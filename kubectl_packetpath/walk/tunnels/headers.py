"""The headers that tunnels put in front of a packet: how long they are, and what stands in them by default.

Kernel: net/ipv4/ip_tunnel_core.c, include/net/udp_tunnel.h udp_flow_src_port
"""

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.state import NamespaceState

ETHERNET_BYTES, UDP_BYTES = 14, 8
INHERITED = 1
"""A tos of 1 says: that of the packet inside."""


def ip_bytes(family: int) -> int:
    """Length of the outer IP header."""
    return 20 if family == 4 else 40


def outer_tos(tos: int, inner: Packet) -> int:
    """The outer tos: the device's own or that of the packet inside, with the latter's mark of congestion."""
    base = inner.tos if tos == INHERITED else tos
    congestion = inner.tos & 3
    return base & ~3 | (2 if congestion == 3 else congestion)


def uncut(setting: str, inner: Packet) -> bool:
    """Whether an outer IPv4 packet must not be fragmented (`df` of the device)."""
    if setting == "inherit":
        return inner.family == 6 or inner.dont_fragment
    return setting == "set"


def source_port(state: NamespaceState, ports: tuple[int, int] | None) -> int:
    """One port of the range from which the kernel takes one by a hash over the packet inside."""
    if ports is not None and any(ports):
        return ports[0]
    words = (state.sysctl("net/ipv4/ip_local_port_range") or "32768 60999").split()
    return int(words[0])
