"""Who answers the question who has an address, on the wire of one device.

For IPv4 the question is looked up like a packet from its asker: an address of this host is told as `arp_ignore` and
`arp_filter` allow, that of somebody else only by a router, for whom it lies behind another device.

Kernel: net/ipv4/arp.c arp_process, arp_ignore, arp_filter, net/ipv4/devinet.c inet_confirm_addr,
net/ipv6/ndisc.c ndisc_recv_ns
"""

from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.links import IFF_NOARP, Link
from kubectl_packetpath.snapshot.routing import NTF_PROXY
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.walk.asking import Asker
from kubectl_packetpath.walk.input_route import LOOPBACK
from kubectl_packetpath.walk.routing import RouteQuery, address_type, fib_lookup
from kubectl_packetpath.walk.settings import largest, number
from kubectl_packetpath.walk.sources import IFA_OPTIMISTIC, IFA_TENTATIVE, SCOPE_LINK, holds
from kubectl_packetpath.walk.tables import tables_of

NOWHERE_ELSE, SAME_NETWORK, NOT_OF_THIS_HOST, NOBODY = 1, 2, 3, 8
"""Values of `arp_ignore`: only addresses of the device; of them, those of the asker's network; none of scope host; none."""


def answers(state: NamespaceState, link: Link, address: Address, asker: Asker | None = None) -> bool:
    """Whether this device would answer the question who has the address; of whom asks not everything need be known."""
    if address.version == 6:
        return _answers6(state, link, address)
    if link.flags & IFF_NOARP or (address in LOOPBACK and not largest(state, link, "route_localnet")):
        return False
    if address_type(state, address) == "LOCAL":
        return _may_tell(state, link, address, asker)
    return _stands_in(state, link, address, asker)


def _name(asker: Asker | None, wanted: Address) -> Address | None:
    """The address that the question bears."""
    if asker is None or asker.source.version != wanted.version:
        return None
    return asker.name(wanted)


def _may_tell(state: NamespaceState, link: Link, address: Address, asker: Asker | None) -> bool:
    level = largest(state, link, "arp_ignore")
    if level == NOBODY:
        return False
    if level in {NOWHERE_ELSE, SAME_NETWORK}:
        name = _name(asker, address) if level == SAME_NETWORK else None
        if not _has(state, link, address, name):
            return False
    if level == NOT_OF_THIS_HOST and not _is_wide(state, address):
        return False
    return not largest(state, link, "arp_filter") or _goes_back(state, link, address, _name(asker, address))


def _has(state: NamespaceState, link: Link, address: Address, name: Address | None) -> bool:
    """The device has the address, and one network of it holds both."""
    entries = [e for e in tables_of(state).addresses.get(link.index, ()) if e.address.version == 4]
    return any(entry.address == address for entry in entries) and any(
        holds(entry, address) and (name is None or holds(entry, name)) for entry in entries
    )


def _is_wide(state: NamespaceState, address: Address) -> bool:
    """Some device has it, with a scope beyond this host."""
    tables = tables_of(state)
    owners = [e for entries in tables.addresses.values() for e in entries if e.address == address]
    return any(
        entry.scope <= SCOPE_LINK or largest(state, tables.links[entry.link], "route_localnet")
        for entry in owners
    )


def _goes_back(state: NamespaceState, link: Link, address: Address, name: Address | None) -> bool:
    """What this host would send to the asker would leave by the device; true also if only some of it would."""
    if name is None:
        return True
    ways = fib_lookup(state, RouteQuery(destination=name, source=address, uid=0))
    return any(
        way.type == "unicast" and way.device is not None and way.device.index == link.index for way in ways
    )


def _stands_in(state: NamespaceState, link: Link, address: Address, asker: Asker | None) -> bool:
    """A router's answer for somebody else: `proxy_arp`, `proxy_arp_pvlan`, or an entry (`ip neigh add proxy`)."""
    if not number(state, f"net/ipv4/conf/{link.name}/forwarding"):
        return False
    everyone, same_wire = largest(state, link, "proxy_arp"), largest(state, link, "proxy_arp_pvlan")
    if not everyone and not same_wire and not _is_proxy(state, link, address):
        return False
    name = _name(asker, address)
    way = fib_lookup(state, RouteQuery(destination=address, source=name, iif=link, uid=0))[0]
    if way.type != "unicast" or way.device is None:
        return False
    if way.device.index == link.index:
        return bool(same_wire) and name != address
    return bool(everyone) or _is_proxy(state, link, address)


def _is_proxy(state: NamespaceState, link: Link, address: Address) -> bool:
    neighbours = state.neighbours()
    return any(
        entry.flags & NTF_PROXY and entry.address == address and entry.link in {link.index, 0}
        for entry in (() if isinstance(neighbours, Absent) else neighbours)
    )


def _answers6(state: NamespaceState, link: Link, address: Address) -> bool:
    """Its own addresses but those that are not verified to be unique, those of all routers of a network, and proxies'."""
    for entry in tables_of(state).addresses.get(link.index, ()):
        if entry.address == address:
            return not entry.flags & IFA_TENTATIVE or bool(entry.flags & IFA_OPTIMISTIC)
    if not number(state, f"net/ipv6/conf/{link.name}/forwarding"):
        return False
    way = fib_lookup(state, RouteQuery(destination=address, iif=link, uid=0))[0]
    if way.type == "anycast" and way.device is not None and way.device.index == link.index:
        return True
    settings = (f"net/ipv6/conf/{name}/proxy_ndp" for name in ("all", link.name))
    return any(number(state, key) for key in settings) and _is_proxy(state, link, address)
