"""Neighbours, and the forwarding databases of bridges and tunnels.

Kernel: net/core/neighbour.c, net/bridge/br_fdb.c, drivers/net/vxlan/vxlan_core.c
"""

import struct
from ipaddress import ip_address

from pyroute2.netlink.rtnl.ndmsg import ndmsg

from kubectl_packetpath.snapshot.routing import NTF_PROXY, ForwardingEntry, Neighbour
from packetpath_agent.collectors.tables import BRIDGE, FAMILIES, Row, Table, read
from packetpath_agent.wire import Netlink

NEIGHBOURS = Table(get=30, message=ndmsg, head=12)
NDA_NH_ID = 13


def neighbours(wire: Netlink) -> tuple[Neighbour, ...]:
    """ARP and neighbour discovery entries, proxy entries included."""
    found: list[Neighbour] = []
    for family in FAMILIES:
        for flags in (0, NTF_PROXY):
            rows = read(wire, NEIGHBOURS, struct.pack("=B3xiHBB", family, 0, 0, flags, 0))
            found += (_neighbour(r) for r in rows if r.message["family"] == family and r.get("NDA_DST"))
    return tuple(dict.fromkeys(found))


def _neighbour(row: Row) -> Neighbour:
    return Neighbour(
        link=row.message["ifindex"],
        address=ip_address(row.get("NDA_DST")),
        mac=row.get("NDA_LLADDR") or "",
        state=row.message["state"],
        flags=row.message["flags"],
    )


def fdb(wire: Netlink) -> tuple[ForwardingEntry, ...]:
    """Forwarding databases of bridges and tunnel devices."""
    rows = read(wire, NEIGHBOURS, struct.pack("=B3xiHBB", BRIDGE, 0, 0, 0, 0))
    return tuple(_entry(row) for row in rows if row.message["family"] == BRIDGE)


def _entry(row: Row) -> ForwardingEntry:
    destination, port = row.get("NDA_DST"), row.get("NDA_PORT")
    return ForwardingEntry(
        link=row.message["ifindex"],
        mac=row.get("NDA_LLADDR") or "",
        master=row.get("NDA_MASTER"),
        vlan=row.get("NDA_VLAN"),
        state=row.message["state"],
        flags=row.message["flags"],
        destination=ip_address(destination) if destination else None,
        port=int(port) if port else None,
        vni=row.get("NDA_VNI"),
        underlay=row.get("NDA_IFINDEX"),
        nexthop_id=row.number(NDA_NH_ID),
    )
