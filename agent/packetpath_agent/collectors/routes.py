"""Links, addresses, routes, rules, neighbours and forwarding databases, through pyroute2.

Kernel: net/core/rtnetlink.c, net/ipv4/fib_frontend.c, net/core/neighbour.c, net/bridge/br_fdb.c
"""

import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from typing import Any

from pyroute2 import IPRoute

from kubectl_packetpath.snapshot.links import (
    Address,
    Bridge,
    BridgePort,
    InterfaceAddress,
    Link,
    Tunnel,
    Vxlan,
)
from kubectl_packetpath.snapshot.netlink import attribute_map
from kubectl_packetpath.snapshot.routing import (
    ForwardingEntry,
    Neighbour,
    Network,
    NextHop,
    NexthopObject,
    PolicyRule,
    Route,
)
from packetpath_agent.wire import NETLINK_ROUTE, NLM_F_DUMP_INTR, InterruptedDumpError, Netlink, again

AF_BRIDGE = 7
FAMILIES = {socket.AF_INET: 4, socket.AF_INET6: 6}
ROUTE_TYPES = (
    "unspec", "unicast", "local", "broadcast", "anycast", "multicast",
    "blackhole", "unreachable", "prohibit", "throw", "nat",
)  # fmt: skip
RULE_ACTIONS = {0: "nop", 1: "to_table", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
MACVLAN_MODES = {1: "private", 2: "vepa", 4: "bridge", 8: "passthru", 16: "source"}
IPVLAN_MODES = {0: "l2", 1: "l3", 2: "l3s"}
RTM_GETNEXTHOP = 106
TUNNELS = {"ipip", "sit", "gre", "gretap", "ip6tnl", "ip6gre", "vti", "geneve"}
NO_LIMIT = 0xFFFFFFFF


@contextmanager
def opened() -> Iterator[Any]:
    """A pyroute2 socket in the present namespace."""
    with IPRoute() as route:
        yield route


def _all(read: Callable[[], Iterable[Any]]) -> list[Any]:
    """Every message of a dump, read again while the kernel says that it was interrupted."""

    def once() -> list[Any]:
        messages = list(read())
        if any(message["header"]["flags"] & NLM_F_DUMP_INTR for message in messages):
            raise InterruptedDumpError
        return messages

    return again(once)


def links(route: Any) -> tuple[Link, ...]:
    """All devices."""
    return tuple(_link(message) for message in _all(lambda: route.link("dump")))


def _link(message: Any) -> Link:
    info: Any = message.get_attr("IFLA_LINKINFO")
    kind = (info.get_attr("IFLA_INFO_KIND") if info else "") or ""
    data: Any = info.get_attr("IFLA_INFO_DATA") if info else None
    slave: Any = info.get_attr("IFLA_INFO_SLAVE_DATA") if info else None
    is_port = bool(info) and info.get_attr("IFLA_INFO_SLAVE_KIND") == "bridge"
    read = data.get_attr if hasattr(data, "get_attr") else lambda _: None
    xdp: Any = message.get_attr("IFLA_XDP")
    index, link = message["index"], message.get_attr("IFLA_LINK")
    modes = MACVLAN_MODES if kind in {"macvlan", "macvtap"} else IPVLAN_MODES
    mode: Any = read("IFLA_MACVLAN_MODE" if modes is MACVLAN_MODES else "IFLA_IPVLAN_MODE")
    return Link(
        index=index,
        name=message.get_attr("IFLA_IFNAME") or f"if{index}",
        kind=kind,
        mac=message.get_attr("IFLA_ADDRESS") or "",
        mtu=message.get_attr("IFLA_MTU") or 0,
        flags=message["flags"],
        operstate=message.get_attr("IFLA_OPERSTATE") or "",
        master=message.get_attr("IFLA_MASTER"),
        link=link if link != index or message.get_attr("IFLA_LINK_NETNSID") is not None else None,
        link_netnsid=message.get_attr("IFLA_LINK_NETNSID"),
        vxlan=_vxlan(read) if kind == "vxlan" else None,
        bridge=_bridge(read) if kind == "bridge" else None,
        port=_port(slave.get_attr) if is_port and hasattr(slave, "get_attr") else None,
        tunnel=_tunnel(read, kind) if kind in TUNNELS else None,
        vlan_id=read("IFLA_VLAN_ID") if kind == "vlan" else None,
        mode=modes.get(mode, str(mode)) if kind in {"macvlan", "macvtap", "ipvlan"} else "",
        vrf_table=read("IFLA_VRF_TABLE") if kind == "vrf" else None,
        xdp_program=(xdp.get_attr("IFLA_XDP_PROG_ID") or None) if xdp else None,
    )


def _vxlan(read: Callable[[str], Any]) -> Vxlan:
    local = read("IFLA_VXLAN_LOCAL") or read("IFLA_VXLAN_LOCAL6")
    remote = read("IFLA_VXLAN_GROUP") or read("IFLA_VXLAN_GROUP6")
    return Vxlan(
        vni=read("IFLA_VXLAN_ID") or 0,
        local=ip_address(local) if local else None,
        remote=ip_address(remote) if remote else None,
        port=_big_endian(read("IFLA_VXLAN_PORT")),
        underlay=read("IFLA_VXLAN_LINK") or None,
        learning=bool(read("IFLA_VXLAN_LEARNING")),
        collect_metadata=bool(read("IFLA_VXLAN_COLLECT_METADATA")),
        l3miss=bool(read("IFLA_VXLAN_L3MISS")),
        ttl=read("IFLA_VXLAN_TTL") or 0,
        tos=read("IFLA_VXLAN_TOS") or 0,
        udp_checksum=bool(read("IFLA_VXLAN_UDP_CSUM")),
    )


def _big_endian(port: Any) -> int:
    return int(port or 0)


def _bridge(read: Callable[[str], Any]) -> Bridge:
    return Bridge(
        vlan_filtering=bool(read("IFLA_BR_VLAN_FILTERING")),
        nf_call_iptables=bool(read("IFLA_BR_NF_CALL_IPTABLES")),
        nf_call_ip6tables=bool(read("IFLA_BR_NF_CALL_IP6TABLES")),
        stp=bool(read("IFLA_BR_STP_STATE")),
    )


def _port(read: Callable[[str], Any]) -> BridgePort:
    return BridgePort(
        state=_or(read("IFLA_BRPORT_STATE"), 3),
        hairpin=bool(read("IFLA_BRPORT_MODE")),
        learning=bool(_or(read("IFLA_BRPORT_LEARNING"), 1)),
        unicast_flood=bool(_or(read("IFLA_BRPORT_UNICAST_FLOOD"), 1)),
        isolated=bool(read("IFLA_BRPORT_ISOLATED")),
        proxy_arp=bool(read("IFLA_BRPORT_PROXYARP")),
        neigh_suppress=bool(read("IFLA_BRPORT_NEIGH_SUPPRESS")),
    )


def _or(value: Any, default: int) -> int:
    return default if value is None else int(value)


def _tunnel(read: Callable[[str], Any], kind: str) -> Tunnel:
    prefix = {"geneve": "IFLA_GENEVE", "gre": "IFLA_GRE", "gretap": "IFLA_GRE", "ip6gre": "IFLA_GRE"}.get(
        kind, "IFLA_IPIP"
    )
    local, remote = read(f"{prefix}_LOCAL"), read(f"{prefix}_REMOTE")
    return Tunnel(
        local=_given(local),
        remote=_given(remote),
        ttl=read(f"{prefix}_TTL") or 0,
        underlay=read(f"{prefix}_LINK") or None,
        key=read("IFLA_GENEVE_ID") if kind == "geneve" else read(f"{prefix}_OKEY"),
        port=read("IFLA_GENEVE_PORT"),
        collect_metadata=bool(read(f"{prefix}_COLLECT_METADATA")),
    )


def _given(value: Any) -> Address | None:
    address = ip_address(value) if value else None
    return None if address is None or address.is_unspecified else address


def addresses(route: Any) -> tuple[InterfaceAddress, ...]:
    """All addresses of all devices."""
    return tuple(_address(m) for m in _all(lambda: route.addr("dump")) if m["family"] in FAMILIES)


def _address(message: Any) -> InterfaceAddress:
    local, peer = message.get_attr("IFA_LOCAL"), message.get_attr("IFA_ADDRESS")
    flags = message.get_attr("IFA_FLAGS")
    return InterfaceAddress(
        link=message["index"],
        address=ip_address(local or peer),
        prefix_length=message["prefixlen"],
        scope=message["scope"],
        flags=message["flags"] if flags is None else flags,
        peer=ip_address(peer) if local and peer and local != peer else None,
    )


def routes(route: Any) -> tuple[Route, ...]:
    """Routes of all tables, both families; the cache of exceptions is left out."""
    found: list[Route] = []
    for family in FAMILIES:
        for message in _all(lambda family=family: route.route("dump", family=family)):  # type: ignore[misc]
            cached = message["flags"] & 0x200
            found += [] if cached or message["family"] != family else [_route(message)]
    return tuple(found)


def _network(version: int, value: Any, length: int) -> Network:
    unspecified = "0.0.0.0" if version == 4 else "::"  # noqa: S104 - the network of all addresses
    return ip_network(f"{value or unspecified}/{length}", strict=False)


def _route(message: Any) -> Route:
    version = FAMILIES[message["family"]]
    metrics = message.get_attr("RTA_METRICS")
    source = message.get_attr("RTA_PREFSRC")
    kind = message["type"]
    return Route(
        destination=_network(version, message.get_attr("RTA_DST"), message["dst_len"]),
        table=message.get_attr("RTA_TABLE") or message["table"],
        type=ROUTE_TYPES[kind] if kind < len(ROUTE_TYPES) else str(kind),
        scope=message["scope"],
        protocol=message["proto"],
        metric=message.get_attr("RTA_PRIORITY") or 0,
        tos=message["tos"],
        preferred_source=ip_address(source) if source else None,
        source=_network(version, message.get_attr("RTA_SRC"), message["src_len"])
        if message["src_len"]
        else None,
        hops=tuple(_hops(message)),
        nexthop_id=_nexthop_id(message),
        mtu=metrics.get_attr("RTAX_MTU") if metrics else None,
        flags=message["flags"],
    )


def _nexthop_id(message: Any) -> int | None:
    value = message.get_attr("RTA_NH_ID") or message.get_attr("UNKNOWN")
    return value if isinstance(value, int) else None


def _hops(message: Any) -> Iterator[NextHop]:
    multipath = message.get_attr("RTA_MULTIPATH")
    if multipath:
        for hop in multipath:
            yield _hop(hop, hop["oif"], hop["hops"] + 1, hop["flags"])
        return
    device = message.get_attr("RTA_OIF")
    if device is not None or message.get_attr("RTA_GATEWAY"):
        yield _hop(message, device, 1, message["flags"] & 0xFF)


def _hop(message: Any, device: int | None, weight: int, flags: int) -> NextHop:
    gateway, via = message.get_attr("RTA_GATEWAY"), message.get_attr("RTA_VIA")
    if gateway is None and via:
        gateway = via["addr"] if isinstance(via, dict) or hasattr(via, "keys") else None
    encapsulation = message.get_attr("RTA_ENCAP_TYPE")
    return NextHop(
        device=device or None,
        gateway=ip_address(gateway) if gateway else None,
        weight=weight,
        flags=flags,
        encapsulation="" if not encapsulation else str(encapsulation),
    )


def rules(route: Any) -> tuple[PolicyRule, ...]:
    """`ip rule`, both families."""
    return tuple(
        _rule(message, version)
        for family, version in FAMILIES.items()
        for message in _all(lambda family=family: route.rule("dump", family=family))  # type: ignore[misc]
        if message["family"] == family
    )


def _rule(message: Any, version: int) -> PolicyRule:
    read = message.get_attr
    suppress = read("FRA_SUPPRESS_PREFIXLEN")
    group = read("FRA_SUPPRESS_IFGROUP")
    uids = read("FRA_UID_RANGE")
    return PolicyRule(
        family=version,
        priority=read("FRA_PRIORITY") or 0,
        action=RULE_ACTIONS.get(message["action"], str(message["action"])),
        table=read("FRA_TABLE") or message["table"],
        goto=read("FRA_GOTO"),
        source=_network(version, read("FRA_SRC"), message["src_len"]) if message["src_len"] else None,
        destination=_network(version, read("FRA_DST"), message["dst_len"]) if message["dst_len"] else None,
        mark=read("FRA_FWMARK") or 0,
        mask=_or(read("FRA_FWMASK"), 0),
        iif=read("FRA_IIFNAME") or "",
        oif=read("FRA_OIFNAME") or "",
        tos=message["tos"],
        uid_range=_pair(uids),
        protocol=read("FRA_IP_PROTO") or None,
        sport_range=_pair(read("FRA_SPORT_RANGE")),
        dport_range=_pair(read("FRA_DPORT_RANGE")),
        suppress_prefix_length=None if suppress in {None, NO_LIMIT, -1} else suppress,
        suppress_group=None if group in {None, NO_LIMIT, -1} else group,
        l3mdev=bool(read("FRA_L3MDEV")),
        tunnel_id=read("FRA_TUN_ID") or None,
        invert=bool(message["flags"] & 0x2),
    )


def _pair(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    if isinstance(value, str):
        first, _, last = value.replace("-", ":").partition(":")
        return int(first), int(last or first)
    if isinstance(value, dict) or hasattr(value, "values"):
        numbers = [int(each) for each in value.values() if isinstance(each, int)]
        return numbers[0], numbers[-1]
    return int(value[0]), int(value[1])


def neighbours(route: Any) -> tuple[Neighbour, ...]:
    """ARP and neighbour discovery entries, proxy entries included."""
    found = []
    for family in FAMILIES:
        for flags in (0, 0x08):
            for message in _all(
                lambda family=family, flags=flags: route.neigh("dump", family=family, flags=flags)  # type: ignore[misc]
            ):
                address = message.get_attr("NDA_DST")
                if message["family"] == family and address is not None:
                    found.append(
                        Neighbour(
                            link=message["ifindex"],
                            address=ip_address(address),
                            mac=message.get_attr("NDA_LLADDR") or "",
                            state=message["state"],
                            flags=message["flags"],
                        )
                    )
    return tuple(dict.fromkeys(found))


def fdb(route: Any) -> tuple[ForwardingEntry, ...]:
    """Forwarding databases of bridges and tunnel devices."""
    return tuple(_entry(m) for m in _all(lambda: route.fdb("dump")) if m["family"] == AF_BRIDGE)


def _entry(message: Any) -> ForwardingEntry:
    destination = message.get_attr("NDA_DST")
    port = message.get_attr("NDA_PORT")
    return ForwardingEntry(
        link=message["ifindex"],
        mac=message.get_attr("NDA_LLADDR") or "",
        master=message.get_attr("NDA_MASTER"),
        vlan=message.get_attr("NDA_VLAN"),
        state=message["state"],
        flags=message["flags"],
        destination=ip_address(destination) if destination else None,
        port=_big_endian(port) if port else None,
        vni=message.get_attr("NDA_VNI"),
        underlay=message.get_attr("NDA_IFINDEX"),
        nexthop_id=None,
    )


def nexthops() -> tuple[NexthopObject, ...]:
    """Next hop objects, which pyroute2 has no words for."""
    wire = Netlink(NETLINK_ROUTE)
    try:
        messages = again(lambda: wire.dump(RTM_GETNEXTHOP, bytes(8)))
    finally:
        wire.close()
    return tuple(_nexthop(body) for _, body in messages)


def _nexthop(body: bytes) -> NexthopObject:
    flags = struct.unpack_from("=I", body, 4)[0]
    parts = attribute_map(body[8:])
    group = tuple(
        (struct.unpack_from("=I", parts[2], at)[0], parts[2][at + 4] + 1)
        for at in range(0, len(parts.get(2, b"")), 8)
    )
    device = struct.unpack("=I", parts[5])[0] if 5 in parts else None
    gateway = ip_address(parts[6]) if 6 in parts else None
    return NexthopObject(
        id=struct.unpack("=I", parts[1])[0],
        hop=None if group or 4 in parts else NextHop(device=device, gateway=gateway, flags=flags & 0xFF),
        group=group,
        blackhole=4 in parts,
        fdb=11 in parts,
    )
