"""IPsec policies and associations, without their keys.

Kernel: net/xfrm/xfrm_user.c, include/uapi/linux/xfrm.h
"""

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_network

from kubectl_packetpath.snapshot.links import Address
from kubectl_packetpath.snapshot.netlink import attribute_map
from kubectl_packetpath.snapshot.routing import Network
from kubectl_packetpath.snapshot.xfrm import XfrmPolicy, XfrmState, XfrmTemplate
from packetpath_agent.wire import NETLINK_XFRM, Netlink, again

GETSA, GETPOLICY = 18, 21
POLICY_BYTES, STATE_BYTES, TEMPLATE_BYTES = 168, 224, 64
IN_UDP, TEMPLATES, MARK, IF_ID = 4, 5, 21, 31
SOCKET_POLICY = 3
"""From here on a direction is that of a policy which belongs to one socket."""
DIRECTIONS = {0: "in", 1: "out", 2: "fwd"}
ACTIONS = {0: "allow", 1: "block"}
MODES = {0: "transport", 1: "tunnel", 2: "ro", 3: "in_trigger", 4: "beet", 5: "iptfs"}
IPV4 = 2
_SELECTOR = struct.Struct("=16s16s2sH2sHHBBB3xiI")


def policies() -> tuple[XfrmPolicy, ...]:
    """IPsec policies of the present namespace."""
    return tuple(_policy(body) for body in _dump(GETPOLICY) if body[160] < SOCKET_POLICY)


def states() -> tuple[XfrmState, ...]:
    """IPsec associations of the present namespace."""
    return tuple(_state(body) for body in _dump(GETSA))


def _dump(message: int) -> list[bytes]:
    wire = Netlink(NETLINK_XFRM)
    try:
        return [body for _, body in again(lambda: wire.dump(message, b""))]
    finally:
        wire.close()


def _policy(body: bytes) -> XfrmPolicy:
    to, of, dport, dport_mask, sport, sport_mask, family, to_length, of_length, protocol, _, _ = (
        _SELECTOR.unpack_from(body)
    )
    priority, _, direction, action = struct.unpack_from("=IIBB", body, 152)
    parts = attribute_map(body[POLICY_BYTES:])
    mark, mask = struct.unpack_from("=II", parts.get(MARK, bytes(8)))
    return XfrmPolicy(
        source=_network(family, of, of_length),
        destination=_network(family, to, to_length),
        direction=DIRECTIONS.get(direction, str(direction)),
        action=ACTIONS.get(action, str(action)),
        priority=priority,
        protocol=protocol or None,
        sport=int.from_bytes(sport, "big") if sport_mask else None,
        dport=int.from_bytes(dport, "big") if dport_mask else None,
        mark=mark,
        mask=mask,
        if_id=struct.unpack_from("=I", parts.get(IF_ID, bytes(4)))[0],
        templates=tuple(_templates(parts.get(TEMPLATES, b""))),
    )


def _templates(value: bytes) -> Iterator[XfrmTemplate]:
    for at in range(0, len(value) - TEMPLATE_BYTES + 1, TEMPLATE_BYTES):
        to, protocol, family, of, reqid, mode, optional = struct.unpack_from("=16s4xB3xH2x16sIBxB", value, at)
        yield XfrmTemplate(
            source=_given(_address(family, of)),
            destination=_given(_address(family, to)),
            protocol=protocol,
            mode=MODES.get(mode, str(mode)),
            reqid=reqid,
            optional=bool(optional),
        )


def _state(body: bytes) -> XfrmState:
    to, spi, protocol, of = struct.unpack_from("=16s4sB3x16s", body, 56)
    reqid, family, mode = struct.unpack_from("=IHB", body, 208)
    parts = attribute_map(body[STATE_BYTES:])
    return XfrmState(
        source=_address(family, of),
        destination=_address(family, to),
        protocol=protocol,
        spi=int.from_bytes(spi, "big"),
        mode=MODES.get(mode, str(mode)),
        reqid=reqid,
        if_id=struct.unpack_from("=I", parts.get(IF_ID, bytes(4)))[0],
        udp_port=int.from_bytes(parts[IN_UDP][4:6], "big") if IN_UDP in parts else None,
    )


def _address(family: int, value: bytes) -> Address:
    return IPv4Address(value[:4]) if family == IPV4 else IPv6Address(value)


def _given(address: Address) -> Address | None:
    return None if address.is_unspecified else address


def _network(family: int, value: bytes, length: int) -> Network:
    return ip_network(f"{_address(family, value)}/{length}", strict=False)
