"""Devices with the data of their kind, and their addresses.

Kernel: net/core/rtnetlink.c, include/uapi/linux/if_link.h
"""

import struct
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from kubectl_packetpath.snapshot.links import Bridge, BridgePort, InterfaceAddress, Link, Tunnel, Vxlan
from kubectl_packetpath.snapshot.netlink import attribute, text
from packetpath_agent.collectors import disciplines, programs
from packetpath_agent.collectors.tables import FAMILIES, Row, Table, address, number, read
from packetpath_agent.wire import Netlink

LINKS = Table(get=18, message=ifinfmsg, head=16)
ADDRESSES = Table(get=22, message=ifaddrmsg, head=8)
IFLA_IFNAME, IFLA_EXT_MASK = 3, 29
WITHOUT_STATISTICS = 1 << 3
MACVLAN_MODES = {1: "private", 2: "vepa", 4: "bridge", 8: "passthru", 16: "source"}
IPVLAN_MODES = {0: "l2", 1: "l3", 2: "l3s"}
DONT_FRAGMENT = {0: "unset", 1: "set", 2: "inherit"}
MODES = {
    "macvlan": ("IFLA_MACVLAN_MODE", MACVLAN_MODES),
    "macvtap": ("IFLA_MACVLAN_MODE", MACVLAN_MODES),
    "ipvlan": ("IFLA_IPVLAN_MODE", IPVLAN_MODES),
}
TUNNELS = {
    "geneve": "IFLA_GENEVE", "gre": "IFLA_GRE", "gretap": "IFLA_GRE",
    "ip6gre": "IFLA_IP6GRE", "ip6gretap": "IFLA_IP6GRE",
    "ipip": "IFLA_IPIP", "sit": "IFLA_SIT", "ip6tnl": "IFLA_IP6TNL", "vti": "IFLA_VTI",
}  # fmt: skip
GRE_CHECKSUM, GRE_KEY, GRE_SEQUENCE = 0x8000, 0x2000, 0x1000
IP6_IGNORES_LIMIT = 0x1
"""IP6_TNL_F_IGN_ENCAP_LIMIT: no header is added that bounds how often a packet may be wrapped."""

Get = Callable[[str], Any]


def links(wire: Netlink) -> tuple[Link, ...]:
    """All devices."""
    wanted = struct.pack("=BxHiII", 0, 0, 0, 0, 0)
    wanted += attribute(IFLA_EXT_MASK, struct.pack("=I", WITHOUT_STATISTICS))
    listed = [(_link(row), row.get("IFLA_QDISC") or "") for row in read(wire, LINKS, wanted)]
    deciding = programs.devices(wire, tuple(link.index for link, _ in listed))
    losing = disciplines.netems(wire, {link.index: own for link, own in listed})
    return tuple(
        replace(link, has_tc_programs=link.index in deciding, netem=losing.get(link.index))
        for link, _ in listed
    )


def _link(row: Row) -> Link:
    info: Any = row.get("IFLA_LINKINFO")
    kind = (info.get_attr("IFLA_INFO_KIND") if info else "") or ""
    get = _reader(info.get_attr("IFLA_INFO_DATA") if info else None)
    port = _reader(info.get_attr("IFLA_INFO_SLAVE_DATA") if info else None)
    is_port = bool(info) and info.get_attr("IFLA_INFO_SLAVE_KIND") == "bridge"
    xdp: Any = row.get("IFLA_XDP")
    index, below, elsewhere = row.message["index"], row.get("IFLA_LINK"), row.get("IFLA_LINK_NETNSID")
    return Link(
        index=index,
        name=text(row.raw.get(IFLA_IFNAME, b"")) or f"if{index}",
        kind=kind,
        mac=row.get("IFLA_ADDRESS") or "",
        mtu=row.get("IFLA_MTU") or 0,
        flags=row.message["flags"],
        operstate=row.get("IFLA_OPERSTATE") or "",
        master=row.get("IFLA_MASTER"),
        link=below if below != index or elsewhere is not None else None,
        link_netnsid=elsewhere,
        vxlan=_vxlan(get) if kind == "vxlan" else None,
        bridge=_bridge(get) if kind == "bridge" else None,
        port=_port(port) if is_port else None,
        tunnel=_tunnel(get, kind) if kind in TUNNELS else None,
        vlan_id=get("IFLA_VLAN_ID") if kind == "vlan" else None,
        mode=_mode(get, kind),
        vrf_table=get("IFLA_VRF_TABLE") if kind == "vrf" else None,
        group=row.get("IFLA_GROUP") or 0,
        xdp_program=(xdp.get_attr("IFLA_XDP_PROG_ID") or None) if xdp else None,
    )


def _reader(nest: Any) -> Get:
    """Attributes of a nest that may be missing, or of a kind that pyroute2 does not know."""
    return nest.get_attr if hasattr(nest, "get_attr") else lambda _: None


def _mode(get: Get, kind: str) -> str:
    if kind not in MODES:
        return ""
    name, words = MODES[kind]
    mode = get(name)
    return words.get(mode, str(mode))


def _vxlan(get: Get) -> Vxlan:
    ports = get("IFLA_VXLAN_PORT_RANGE")
    low, high = (number(ports["low"]), number(ports["high"])) if ports else (0, 0)
    return Vxlan(
        vni=get("IFLA_VXLAN_ID") or 0,
        local=address(get("IFLA_VXLAN_LOCAL") or get("IFLA_VXLAN_LOCAL6")),
        remote=address(get("IFLA_VXLAN_GROUP") or get("IFLA_VXLAN_GROUP6")),
        port=number(get("IFLA_VXLAN_PORT")),
        underlay=get("IFLA_VXLAN_LINK") or None,
        learning=bool(get("IFLA_VXLAN_LEARNING")),
        collect_metadata=bool(get("IFLA_VXLAN_COLLECT_METADATA")),
        l3miss=bool(get("IFLA_VXLAN_L3MISS")),
        ttl=get("IFLA_VXLAN_TTL") or 0,
        tos=get("IFLA_VXLAN_TOS") or 0,
        udp_checksum=bool(get("IFLA_VXLAN_UDP_CSUM")),
        port_range=(low, high) if low or high else None,
        df=DONT_FRAGMENT.get(get("IFLA_VXLAN_DF") or 0, "unset"),
    )


def _bridge(get: Get) -> Bridge:
    return Bridge(
        vlan_filtering=bool(get("IFLA_BR_VLAN_FILTERING")),
        nf_call_iptables=bool(get("IFLA_BR_NF_CALL_IPTABLES")),
        nf_call_ip6tables=bool(get("IFLA_BR_NF_CALL_IP6TABLES")),
        stp=bool(get("IFLA_BR_STP_STATE")),
    )


def _port(get: Get) -> BridgePort:
    return BridgePort(
        state=number(get("IFLA_BRPORT_STATE"), 3),
        hairpin=bool(get("IFLA_BRPORT_MODE")),
        learning=bool(number(get("IFLA_BRPORT_LEARNING"), 1)),
        unicast_flood=bool(number(get("IFLA_BRPORT_UNICAST_FLOOD"), 1)),
        multicast_flood=bool(number(get("IFLA_BRPORT_MCAST_FLOOD"), 1)),
        broadcast_flood=bool(number(get("IFLA_BRPORT_BCAST_FLOOD"), 1)),
        locked=bool(get("IFLA_BRPORT_LOCKED")),
        isolated=bool(get("IFLA_BRPORT_ISOLATED")),
        proxy_arp=bool(get("IFLA_BRPORT_PROXYARP")),
        neigh_suppress=bool(get("IFLA_BRPORT_NEIGH_SUPPRESS")),
    )


def _tunnel(get: Get, kind: str) -> Tunnel:
    prefix = TUNNELS[kind]
    local, remote = get(f"{prefix}_LOCAL"), get(f"{prefix}_REMOTE") or get(f"{prefix}_REMOTE6")
    tunnel = Tunnel(
        local=address(local),
        remote=address(remote),
        ttl=get(f"{prefix}_TTL") or 0,
        tos=get(f"{prefix}_TOS") or 0,
        underlay=get(f"{prefix}_LINK") or None,
        collect_metadata=get(f"{prefix}_COLLECT_METADATA") is not None,
        mark=get(f"{prefix}_FWMARK") or 0,
        encapsulation=get(f"{prefix}_ENCAP_TYPE") or 0,
        protocol=get(f"{prefix}_PROTO"),
        df="unset" if get(f"{prefix}_PMTUDISC") == 0 else "set",
    )
    if kind == "geneve":
        df = get("IFLA_GENEVE_DF") or 0
        return replace(
            tunnel, key=get("IFLA_GENEVE_ID"), port=get("IFLA_GENEVE_PORT"), df=DONT_FRAGMENT.get(df, str(df))
        )
    if prefix in {"IFLA_GRE", "IFLA_IP6GRE"}:
        return _gre(get, prefix, tunnel)
    if kind == "ip6tnl" and not number(get("IFLA_IP6TNL_FLAGS")) & IP6_IGNORES_LIMIT:
        return replace(tunnel, encapsulation_limit=get("IFLA_IP6TNL_ENCAP_LIMIT"))
    return tunnel


def _gre(get: Get, prefix: str, tunnel: Tunnel) -> Tunnel:
    """What stands in the GRE header, and what has to."""
    going, coming = (_gre_flags(get(f"{prefix}_{name}"), prefix) for name in ("OFLAGS", "IFLAGS"))
    bounded = prefix == "IFLA_IP6GRE" and not number(get(f"{prefix}_FLAGS")) & IP6_IGNORES_LIMIT
    return replace(
        tunnel,
        key=get(f"{prefix}_OKEY") if going & GRE_KEY else None,
        input_key=get(f"{prefix}_IKEY") if coming & GRE_KEY else None,
        checksum=bool(going & GRE_CHECKSUM),
        sequence=bool(going & GRE_SEQUENCE),
        ignore_df=bool(get(f"{prefix}_IGNORE_DF")),
        encapsulation_limit=get(f"{prefix}_ENCAP_LIMIT") if bounded else None,
    )


def _gre_flags(value: Any, prefix: str) -> int:
    """The flags are in network order, which the library knows for IPv4 only."""
    flags = number(value["value"] if isinstance(value, dict) else value)
    return flags if prefix == "IFLA_GRE" else (flags & 0xFF) << 8 | flags >> 8


def addresses(wire: Netlink) -> tuple[InterfaceAddress, ...]:
    """All addresses of all devices."""
    rows = read(wire, ADDRESSES, bytes(8))
    return tuple(_address(row) for row in rows if row.message["family"] in FAMILIES)


def _address(row: Row) -> InterfaceAddress:
    local, peer, flags = row.get("IFA_LOCAL"), row.get("IFA_ADDRESS"), row.get("IFA_FLAGS")
    return InterfaceAddress(
        link=row.message["index"],
        address=ip_address(local or peer),
        prefix_length=row.message["prefixlen"],
        scope=row.message["scope"],
        flags=number(flags, row.message["flags"]),
        peer=ip_address(peer) if local and peer and local != peer else None,
    )
