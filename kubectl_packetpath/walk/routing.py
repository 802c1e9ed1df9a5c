"""Which way on does a packet take: policy rules, tables, prefixes and next hops.

The same questions are asked by the routing stage, by `addrtype`, `rpfilter` and nft's `fib`.

Kernel: net/core/fib_rules.c, net/ipv4/fib_frontend.c, fib_trie.c, fib_semantics.c; net/ipv6/route.c
"""

from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.routing import TABLE_LOCAL
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.walk.fib import search
from kubectl_packetpath.walk.tables import tables_of
from kubectl_packetpath.walk.ways import RouteQuery, Way

__all__ = ["RouteQuery", "Way", "address_type", "fib_lookup"]


def fib_lookup(state: NamespaceState, query: RouteQuery) -> tuple[Way, ...]:
    """All ways that the tables allow, one per next hop, weights summing to 1 (None if something was assumed)."""
    return search(state, query)


def address_type(state: NamespaceState, address: Address, device: Link | None = None) -> str:
    """What kind of address this is here, in the words of `addrtype` and `fib type`.

    UNSPEC, UNICAST, LOCAL, BROADCAST, ANYCAST, MULTICAST, BLACKHOLE, UNREACHABLE, PROHIBIT or THROW. With a
    device, an address of another device is UNICAST.
    """
    if address.version == 4:
        return _address_type4(state, address, device)
    return _address_type6(state, address, device)


def _address_type4(state: NamespaceState, address: Address, device: Link | None) -> str:
    """Only the local table is asked (`inet_addr_type`)."""
    number = int(address)
    if number >> 24 == 0 or number == 0xFFFFFFFF:
        return "BROADCAST"
    if address.is_multicast:
        return "MULTICAST"
    table = tables_of(state).prefixes.get((4, TABLE_LOCAL))
    route = next(table.matching(address), None) if table is not None else None
    if route is None:
        return "UNICAST"
    if device is not None and device.index not in {hop.device for hop in route.hops}:
        return "UNICAST"
    return route.type.upper()


def _address_type6(state: NamespaceState, address: Address, device: Link | None) -> str:
    """All rules and tables are asked, so an address without a route is UNREACHABLE (`ip6t_addrtype`)."""
    if address.is_unspecified:
        return "UNSPEC"
    if address.is_multicast:
        return "MULTICAST"
    way = search(state, RouteQuery(destination=address, oif=device))[0]
    if way.type == "none":
        return "UNREACHABLE"
    return way.type.upper()
