"""WireGuard devices and their peers; the kernel hands out private keys with them, and none is kept.

Kernel: drivers/net/wireguard/netlink.c, include/uapi/linux/wireguard.h
"""

import base64
import errno
import struct
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_network

from kubectl_packetpath.snapshot.links import Address
from kubectl_packetpath.snapshot.netlink import attribute, attribute_map, attributes
from kubectl_packetpath.snapshot.routing import Network
from kubectl_packetpath.snapshot.xfrm import WireguardDevice, WireguardPeer
from packetpath_agent.collectors.generic import Family, family

GET_DEVICE = 0
IFINDEX, OWN_PUBLIC_KEY, LISTEN_PORT, MARK, PEERS = 1, 4, 6, 7, 8
PUBLIC_KEY, ENDPOINT, HANDSHAKE, RECEIVED, SENT, ALLOWED = 1, 4, 6, 7, 8, 9
IPV4 = 2


def devices(indexes: tuple[int, ...]) -> tuple[WireguardDevice, ...]:
    """These devices of the present namespace, with their peers."""
    if not indexes:
        return ()
    with family("wireguard") as wireguard:
        if wireguard is None:
            raise OSError(errno.EIO, "there are WireGuard devices, and the kernel does not tell about them")
        return tuple(_device(wireguard, index) for index in indexes)


def _device(wireguard: Family, index: int) -> WireguardDevice:
    answers = wireguard.dump(GET_DEVICE, attribute(IFINDEX, struct.pack("=I", index)))
    peers: dict[str, WireguardPeer] = {}
    for answer in answers:
        for _, described in attributes(answer.get(PEERS, b"")):
            peer = _peer(described)
            before = peers.get(peer.public_key)
            peers[peer.public_key] = (
                peer if before is None else replace(before, allowed=before.allowed + peer.allowed)
            )
    first = answers[0]
    return WireguardDevice(
        link=index,
        listen_port=int(struct.unpack_from("=H", first.get(LISTEN_PORT, bytes(2)))[0]),
        mark=int(struct.unpack_from("=I", first.get(MARK, bytes(4)))[0]),
        peers=tuple(peers.values()),
        public_key=base64.b64encode(first[OWN_PUBLIC_KEY]).decode() if OWN_PUBLIC_KEY in first else "",
    )


def _peer(described: bytes) -> WireguardPeer:
    parts = attribute_map(described)
    endpoint, port = _socket_address(parts.get(ENDPOINT, b""))
    return WireguardPeer(
        public_key=base64.b64encode(parts[PUBLIC_KEY]).decode(),
        endpoint=endpoint,
        endpoint_port=port,
        allowed=tuple(_allowed(each) for _, each in attributes(parts.get(ALLOWED, b""))),
        last_handshake=int(struct.unpack_from("=q", parts.get(HANDSHAKE, bytes(8)))[0]),
        rx_bytes=int(struct.unpack_from("=Q", parts.get(RECEIVED, bytes(8)))[0]),
        tx_bytes=int(struct.unpack_from("=Q", parts.get(SENT, bytes(8)))[0]),
    )


def _socket_address(value: bytes) -> tuple[Address | None, int | None]:
    if len(value) < 8:
        return None, None
    port = int.from_bytes(value[2:4], "big")
    if struct.unpack_from("=H", value)[0] == IPV4:
        return IPv4Address(value[4:8]), port
    return IPv6Address(value[8:24]), port


def _allowed(described: bytes) -> Network:
    parts = attribute_map(described)
    raw = parts[2]
    address = IPv4Address(raw) if len(raw) == 4 else IPv6Address(raw)
    return ip_network(f"{address}/{parts[3][0]}", strict=False)
