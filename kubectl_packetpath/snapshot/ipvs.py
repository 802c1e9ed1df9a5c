"""IPVS virtual servers, and the connections that it keeps.

Kernel: include/uapi/linux/ip_vs.h, net/netfilter/ipvs/ip_vs_conn.c
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.links import Address

PROTOCOLS = {"IP": 0, "TCP": 6, "UDP": 17, "SCTP": 132, "ESP": 50, "AH": 51}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class IpvsAnswer:
    """What the kernel lists for one client."""

    client: Address
    lines: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IpvsTable:
    """The connections of IPVS: lines of /proc/net/ip_vs_conn, all of them or those of the clients asked about."""

    entries: tuple[bytes, ...] | Absent = ()
    answers: tuple[IpvsAnswer, ...] = ()


def client_of(line: bytes) -> bytes:
    """The client's address as it stands in a line."""
    return line.split(None, 2)[1]


def written(address: Address) -> bytes:
    """An address as the kernel writes it there."""
    if isinstance(address, IPv4Address):
        return b"%08X" % int(address)
    return address.exploded.encode()


def decode_line(line: bytes) -> IpvsConnection:
    """Read one line; raises ValueError for anything else."""
    words = line.decode().split()
    if len(words) < 9:
        raise ValueError(f"no line of /proc/net/ip_vs_conn: {line!r}")
    protocol, client, client_port, virtual, virtual_port, server, server_port, state, expires = words[:9]
    known = PROTOCOLS.get(protocol)
    return IpvsConnection(
        protocol=int(protocol.removeprefix("IP_")) if known is None else known,
        client=_address(client),
        client_port=int(client_port, 16),
        virtual=_address(virtual),
        virtual_port=int(virtual_port, 16),
        server=_address(server),
        server_port=int(server_port, 16),
        state=state,
        expires_seconds=int(expires),
    )


def _address(text: str) -> Address:
    return IPv6Address(text) if ":" in text else IPv4Address(int(text, 16))
