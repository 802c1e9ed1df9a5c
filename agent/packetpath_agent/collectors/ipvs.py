"""IPVS virtual servers and their destinations.

Kernel: net/netfilter/ipvs/ip_vs_ctl.c, include/uapi/linux/ip_vs.h
"""

import errno
import struct
from ipaddress import IPv4Address, IPv6Address

from kubectl_packetpath.snapshot.ipvs import RealServer, VirtualServer, client_of, written
from kubectl_packetpath.snapshot.links import Address
from kubectl_packetpath.snapshot.netlink import attribute_map, text
from packetpath_agent.collectors.generic import Family, family
from packetpath_agent.wire import nested

GET_SERVICE, GET_DEST = 4, 8
SERVICE, DEST = 1, 2
AF, PROTOCOL, ADDRESS, PORT, MARK, SCHEDULER, FLAGS, TIMEOUT, NETMASK = range(1, 10)
D_ADDRESS, D_PORT, D_METHOD, D_WEIGHT, D_UPPER, _, D_ACTIVE, D_INACTIVE, D_PERSISTENT, _, D_FAMILY = range(
    1, 12
)
METHODS = {0: "masquerade", 1: "local", 2: "tunnel", 3: "route", 4: "bypass"}
IPV4 = 2
CONNECTIONS = "/proc/thread-self/net/ip_vs_conn"


def virtual_servers() -> tuple[VirtualServer, ...]:
    """All services; raises OSError (ENOENT) where the kernel has no IPVS."""
    with family("IPVS") as ipvs:
        if ipvs is None:
            raise FileNotFoundError(errno.ENOENT, "the kernel has not loaded IPVS")
        return tuple(_service(ipvs, answer[SERVICE]) for answer in ipvs.dump(GET_SERVICE))


def connections(client: Address | None = None) -> tuple[bytes, ...]:
    """Lines of the connection table, all or one client's; raises FileNotFoundError where there is none."""
    wanted = None if client is None else written(client)
    with open(CONNECTIONS, "rb") as file:  # noqa: PTH123 - a path of this thread alone
        next(file, None)
        return tuple(line for line in file if wanted is None or client_of(line) == wanted)


def _service(ipvs: Family, described: bytes) -> VirtualServer:
    parts = attribute_map(described)
    version = _u16(parts.get(AF, b"\2\0"))
    marked = MARK in parts
    return VirtualServer(
        family=4 if version == IPV4 else 6,
        protocol=None if marked else _u16(parts[PROTOCOL]),
        address=None if marked else _address(version, parts[ADDRESS]),
        port=None if marked else int.from_bytes(parts[PORT], "big"),
        firewall_mark=_u32(parts[MARK]) if marked else None,
        scheduler=text(parts.get(SCHEDULER, b"")),
        flags=_u32(parts.get(FLAGS, bytes(8))),
        timeout_seconds=_u32(parts.get(TIMEOUT, bytes(4))),
        netmask=_netmask(version, parts.get(NETMASK)),
        servers=tuple(
            _server(version, answer[DEST]) for answer in ipvs.dump(GET_DEST, nested(SERVICE, described))
        ),
    )


def _server(version: int, described: bytes) -> RealServer:
    parts = attribute_map(described)
    own = _u16(parts[D_FAMILY]) if D_FAMILY in parts else version
    method = _u32(parts.get(D_METHOD, bytes(4))) & 7
    return RealServer(
        address=_address(own or version, parts[D_ADDRESS]),
        port=int.from_bytes(parts[D_PORT], "big"),
        weight=_u32(parts[D_WEIGHT]),
        forwarding=METHODS.get(method, str(method)),
        active=_u32(parts.get(D_ACTIVE, bytes(4))),
        inactive=_u32(parts.get(D_INACTIVE, bytes(4))),
        persistent=_u32(parts.get(D_PERSISTENT, bytes(4))),
        upper_threshold=_u32(parts.get(D_UPPER, bytes(4))),
    )


def _netmask(version: int, value: bytes | None) -> int:
    """In network order for IPv4, a prefix length in host order for IPv6."""
    if value is None:
        return 0xFFFFFFFF
    return int.from_bytes(value, "big") if version == IPV4 else _u32(value)


def _address(version: int, value: bytes) -> Address:
    return IPv4Address(value[:4]) if version == IPV4 else IPv6Address(value[:16])


def _u16(value: bytes) -> int:
    return int(struct.unpack_from("=H", value)[0])


def _u32(value: bytes) -> int:
    return int(struct.unpack_from("=I", value)[0])
