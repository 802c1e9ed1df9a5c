"""Routes of all tables, policy rules and next hop objects.

Kernel: net/ipv4/fib_frontend.c, net/core/fib_rules.c, net/ipv4/nexthop.c
"""

import struct
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from kubectl_packetpath.snapshot.netlink import attribute_map
from kubectl_packetpath.snapshot.routing import NextHop, NexthopObject, PolicyRule, Route
from packetpath_agent.collectors.tables import FAMILIES, Row, Table, name, network, number, read
from packetpath_agent.wire import Netlink, again

ROUTES = Table(get=26, message=rtmsg, head=12)
RULES = Table(get=34, message=fibmsg, head=12)
RTM_GETNEXTHOP = 106
RTM_F_CLONED = 0x200
RTA_NH_ID = 30
ROUTE_TYPES = (
    "unspec", "unicast", "local", "broadcast", "anycast", "multicast",
    "blackhole", "unreachable", "prohibit", "throw", "nat",
)  # fmt: skip
ENCAPSULATIONS = {
    1: "mpls", 2: "ip", 3: "ila", 4: "ip6", 5: "seg6", 6: "bpf", 7: "seg6local", 8: "rpl", 9: "ioam6", 10: "xfrm",
}  # fmt: skip
ACTIONS = {0: "nop", 1: "to_table", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
LAST_KNOWN_ATTRIBUTE, WHOLE_PORT = 24, b"\xff\xff"
PORT_MASKS = {28, 29}
INVERT = 0x2
RESILIENT = 1
"""NEXTHOP_GRP_TYPE_RES."""
NO_LIMIT = 0xFFFFFFFF


def routes(wire: Netlink) -> tuple[Route, ...]:
    """Routes of all tables, both families; the cache of exceptions is left out."""
    return tuple(
        _route(row)
        for family in FAMILIES
        for row in read(wire, ROUTES, bytes([family]).ljust(12, b"\0"))
        if row.message["family"] == family and not row.message["flags"] & RTM_F_CLONED
    )


def _route(row: Row) -> Route:
    message, version = row.message, FAMILIES[row.message["family"]]
    metrics, source, kind = row.get("RTA_METRICS"), row.get("RTA_PREFSRC"), message["type"]
    from_length = message["src_len"]
    return Route(
        destination=network(version, row.get("RTA_DST"), message["dst_len"]),
        table=row.get("RTA_TABLE") or message["table"],
        type=ROUTE_TYPES[kind] if kind < len(ROUTE_TYPES) else str(kind),
        scope=message["scope"],
        protocol=message["proto"],
        metric=row.get("RTA_PRIORITY") or 0,
        tos=message["tos"],
        preferred_source=ip_address(source) if source else None,
        source=network(version, row.get("RTA_SRC"), from_length) if from_length else None,
        hops=tuple(_hops(row)),
        preference=row.get("RTA_PREF") or 0,
        nexthop_id=row.number(RTA_NH_ID),
        mtu=metrics.get_attr("RTAX_MTU") if metrics else None,
        flags=message["flags"],
    )


def _hops(row: Row) -> Iterator[NextHop]:
    multipath = row.get("RTA_MULTIPATH")
    if multipath:
        for hop in multipath:
            yield _hop(hop, hop["oif"], hop["hops"] + 1, hop["flags"])
        return
    device = row.get("RTA_OIF")
    if device is not None or row.get("RTA_GATEWAY"):
        yield _hop(row.message, device, 1, row.message["flags"] & 0xFF)


def _hop(message: Any, device: int | None, weight: int, flags: int) -> NextHop:
    gateway, via = message.get_attr("RTA_GATEWAY"), message.get_attr("RTA_VIA")
    encapsulation = message.get_attr("RTA_ENCAP_TYPE")
    if gateway is None and via is not None:
        gateway = via["addr"]
    return NextHop(
        device=device or None,
        gateway=ip_address(gateway) if gateway else None,
        weight=weight,
        flags=flags,
        encapsulation=ENCAPSULATIONS.get(encapsulation, str(encapsulation)) if encapsulation else "",
    )


def rules(wire: Netlink) -> tuple[PolicyRule, ...]:
    """Policy rules of both families; a rule that says more than we know is an error, not a guess."""
    return tuple(
        _rule(row, version)
        for family, version in FAMILIES.items()
        for row in read(wire, RULES, bytes([family]).ljust(12, b"\0"))
        if row.message["family"] == family
    )


def _rule(row: Row, version: int) -> PolicyRule:
    get, message = row.get, row.message
    priority = get("FRA_PRIORITY") or 0
    for kind, value in row.raw.items():
        if kind > LAST_KNOWN_ATTRIBUTE and not (kind in PORT_MASKS and value[:2] == WHOLE_PORT):
            raise ValueError(f"the policy rule of priority {priority} has a selector of unknown kind {kind}")
    from_length, to_length = message["src_len"], message["dst_len"]
    return PolicyRule(
        family=version,
        priority=priority,
        action=ACTIONS.get(message["action"], str(message["action"])),
        table=get("FRA_TABLE") or message["table"],
        goto=get("FRA_GOTO"),
        source=network(version, get("FRA_SRC"), from_length) if from_length else None,
        destination=network(version, get("FRA_DST"), to_length) if to_length else None,
        mark=get("FRA_FWMARK") or 0,
        mask=number(get("FRA_FWMASK")),
        iif=name(get("FRA_IIFNAME")),
        oif=name(get("FRA_OIFNAME")),
        tos=message["tos"],
        uid_range=_range(row.raw.get(20), "=II"),
        protocol=get("FRA_IP_PROTO") or None,
        sport_range=_range(row.raw.get(23), "=HH"),
        dport_range=_range(row.raw.get(24), "=HH"),
        suppress_prefix_length=_limit(row.number(14)),
        suppress_group=_limit(row.number(13)),
        l3mdev=bool(get("FRA_L3MDEV")),
        tunnel_id=get("FRA_TUN_ID") or None,
        invert=bool(message["flags"] & INVERT),
    )


def _range(value: bytes | None, layout: str) -> tuple[int, int] | None:
    if value is None:
        return None
    first, last = struct.unpack_from(layout, value)
    return first, last


def _limit(value: int | None) -> int | None:
    return None if value == NO_LIMIT else value


def nexthops(wire: Netlink) -> tuple[NexthopObject, ...]:
    """Next hop objects, which pyroute2 has no words for."""
    return tuple(_nexthop(body) for _, body in again(lambda: wire.dump(RTM_GETNEXTHOP, bytes(8))))


def _nexthop(body: bytes) -> NexthopObject:
    flags = struct.unpack_from("=I", body, 4)[0]
    parts = attribute_map(body[8:])
    members = parts.get(2, b"")
    group = tuple(
        (struct.unpack_from("=I", members, at)[0], members[at + 4] + 1) for at in range(0, len(members), 8)
    )
    encapsulation = struct.unpack_from("=H", parts[7])[0] if 7 in parts else 0
    hop = NextHop(
        device=struct.unpack("=I", parts[5])[0] if 5 in parts else None,
        gateway=ip_address(parts[6]) if 6 in parts else None,
        flags=flags & 0xFF,
        encapsulation=ENCAPSULATIONS.get(encapsulation, str(encapsulation)) if encapsulation else "",
    )
    return NexthopObject(
        id=struct.unpack("=I", parts[1])[0],
        hop=None if group or 4 in parts else hop,
        group=group,
        blackhole=4 in parts,
        fdb=11 in parts,
        resilient=bool(group) and struct.unpack_from("=H", parts.get(3, bytes(2)))[0] == RESILIENT,
    )
