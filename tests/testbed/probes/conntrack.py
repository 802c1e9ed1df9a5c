"""Fills this network namespace's connection table, or removes again what it put there: `conntrack fill|empty`.

The entries are established TCP connections between addresses that no one has, so the kernel keeps them when it looks
for something to drop.
Kernel: net/netfilter/nf_conntrack_netlink.c, include/uapi/linux/netfilter/nfnetlink_conntrack.h
"""

import socket
import struct
import sys
from ipaddress import IPv4Address
from pathlib import Path

NETLINK_NETFILTER, CONNTRACK = 12, 1
NEW, DELETE = 0, 2
REQUEST, ACK, CREATE, EXCLUSIVE = 0x1, 0x4, 0x400, 0x200
TUPLE_ORIG, TUPLE_REPLY, STATUS, PROTOINFO, TIMEOUT, MARK, MARK_MASK = 1, 2, 3, 4, 7, 8, 21
ASSURED, CONFIRMED, SEEN_REPLY = 4, 8, 2
ESTABLISHED = 3
OUR_MARK = 0x7E57BED
FIRST_CLIENT = int(IPv4Address("192.88.99.0"))
SERVER = IPv4Address("192.0.2.1").packed
PORTS = 60000
BATCH = 200


def attribute(kind: int, data: bytes, *, nested: bool = False) -> bytes:
    """One netlink attribute, padded."""
    return (
        struct.pack("=HH", 4 + len(data), kind | (0x8000 if nested else 0)) + data + b"\0" * (-len(data) % 4)
    )


def nested(kind: int, *parts: bytes) -> bytes:
    """An attribute that holds others."""
    return attribute(kind, b"".join(parts), nested=True)


def message(kind: int, flags: int, body: bytes) -> bytes:
    """One message about connections."""
    header = struct.pack("=IHHII", 20 + len(body), CONNTRACK << 8 | kind, REQUEST | flags, 0, 0)
    return header + struct.pack("=BBH", socket.AF_INET, 0, 0) + body


def direction(kind: int, ends: tuple[bytes, bytes], ports: tuple[int, int]) -> bytes:
    """The addresses and ports of one direction."""
    addresses = nested(1, attribute(1, ends[0]), attribute(2, ends[1]))
    numbers = [attribute(2 + i, struct.pack("!H", port)) for i, port in enumerate(ports)]
    return nested(kind, addresses, nested(2, attribute(1, bytes([socket.IPPROTO_TCP])), *numbers))


def entry(index: int) -> bytes:
    """The message that creates one connection."""
    client, port = struct.pack("!I", FIRST_CLIENT + index // PORTS), 1024 + index % PORTS
    return message(
        NEW,
        CREATE | EXCLUSIVE,
        direction(TUPLE_ORIG, (client, SERVER), (port, 443))
        + direction(TUPLE_REPLY, (SERVER, client), (443, port))
        + attribute(STATUS, struct.pack("!I", ASSURED | CONFIRMED | SEEN_REPLY))
        + attribute(TIMEOUT, struct.pack("!I", 3600))
        + attribute(MARK, struct.pack("!I", OUR_MARK))
        + nested(PROTOINFO, nested(1, attribute(1, bytes([ESTABLISHED])))),
    )


def fill(netlink: socket.socket) -> None:
    """Create entries until the table holds what it may."""
    names = ("nf_conntrack_max", "nf_conntrack_count")
    most, used = (int(Path(f"/proc/sys/net/netfilter/{name}").read_text()) for name in names)
    for start in range(0, most - used, BATCH):
        netlink.send(b"".join(entry(index) for index in range(start, min(start + BATCH, most - used))))


def empty(netlink: socket.socket) -> None:
    """Delete every entry with our mark."""
    mark = attribute(MARK, struct.pack("!I", OUR_MARK)) + attribute(MARK_MASK, b"\xff" * 4)
    netlink.send(message(DELETE, ACK, mark))
    error = struct.unpack_from("=i", netlink.recv(4096), 16)[0]
    if error:
        raise OSError(-error, "deleting our connections")


if __name__ == "__main__":
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        {"fill": fill, "empty": empty}[sys.argv[1]](kernel)
