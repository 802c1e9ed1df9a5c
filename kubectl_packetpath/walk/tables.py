"""The routes, rules, devices and addresses of a namespace, indexed once so that each lookup is cheap.

Kernel: net/ipv4/fib_trie.c, net/ipv6/ip6_fib.c
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.links import InterfaceAddress, Link
from kubectl_packetpath.snapshot.routing import (
    TABLE_DEFAULT,
    TABLE_LOCAL,
    TABLE_MAIN,
    NexthopObject,
    PolicyRule,
    Route,
)
from kubectl_packetpath.snapshot.state import NamespaceState

T = TypeVar("T")
MOST_STATES_KEPT = 256
DEFAULT_RULES = {4: {(0, TABLE_LOCAL), (32766, TABLE_MAIN), (32767, TABLE_DEFAULT)}}


class NotReadable(LookupError):  # noqa: N818 - it is a fact about the node, not an error of the program
    """A subject without which no answer is possible could not be read; the message names it."""


def rows(section: tuple[T, ...] | Absent, subject: str) -> tuple[T, ...]:
    """The rows of a section; nothing where the kernel has no such thing; otherwise `NotReadable`."""
    if not isinstance(section, Absent):
        return section
    if section.why is Why.NOT_LOADED:
        return ()
    raise NotReadable(f"{subject} could not be read: {section.detail or section.why.value}")


@dataclass(slots=True)
class PrefixTable:
    """One routing table of one family, by prefix length and network."""

    bits: int
    lengths: dict[int, dict[int, list[Route]]] = field(default_factory=dict)
    order: tuple[int, ...] = ()

    def add(self, route: Route) -> None:
        """Take up a route."""
        length = route.destination.prefixlen
        key = int(route.destination.network_address) >> (self.bits - length)
        self.lengths.setdefault(length, {}).setdefault(key, []).append(route)

    def finish(self) -> None:
        """Sort what was added: longest prefix first, and within one by source, tos and metric."""
        self.order = tuple(sorted(self.lengths, reverse=True))
        for networks in self.lengths.values():
            for routes in networks.values():
                routes.sort(key=_within_prefix)

    def matching(self, address: Address) -> Iterator[Route]:
        """Routes whose prefix holds the address, best prefix first."""
        number = int(address)
        for length in self.order:
            yield from self.lengths[length].get(number >> (self.bits - length), ())

    def matching_from(self, address: Address, source: Address) -> Iterator[Route]:
        """IPv6: routes in the order in which the kernel takes them for a packet of this source.

        Routes for some sources alone hide those of their very prefix that are for every source from all other
        packets, unless a longer prefix was tried before or the prefix is ::/0.

        Kernel: net/ipv6/ip6_fib.c fib6_node_lookup_1, net/ipv6/route.c fib6_backtrack
        """
        number, found = int(address), False
        for length in self.order:
            routes = self.lengths[length].get(number >> (self.bits - length), ())
            hidden = length > 0 and not found and any(route.source is not None for route in routes)
            for route in routes:
                if route.source is None and hidden:
                    continue
                if route.source is None or source in route.source:
                    found, hidden = True, False
                    yield route


def _within_prefix(route: Route) -> tuple[int, int, int]:
    source_length = route.source.prefixlen if route.source is not None else 0
    return -source_length, -route.tos, route.metric


class Carried(NamedTuple):
    """What an IPv6 route brings along besides its next hops."""

    length: int
    """Of its prefix."""
    settings: tuple[Address | None, int | None]
    """The source that it prefers, and its MTU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Everything of a namespace that routing looks at."""

    prefixes: Mapping[tuple[int, int], PrefixTable]
    """By family and table number."""
    rules: Mapping[int, tuple[PolicyRule, ...]]
    """By family, in order of priority."""
    links: Mapping[int, Link]
    named: Mapping[str, Link]
    enslaved: Mapping[int, tuple[Link, ...]]
    """By the device that they belong to: a bridge's ports, a bond's or VRF's devices."""
    addresses: Mapping[int, tuple[InterfaceAddress, ...]]
    """By device."""
    owners: Mapping[Address, InterfaceAddress]
    nexthops: Mapping[int, NexthopObject]
    sharing: Mapping[int, frozenset[Carried]]
    """Of all IPv6 routes of a next hop object, by itself or in a group."""
    custom_rules: bool
    """There are IPv4 rules beyond the three that every namespace starts with."""
    custom_local_routes: bool
    """Someone added a route of type local by hand."""


_kept: OrderedDict[int, tuple[NamespaceState, Tables]] = OrderedDict()


def tables_of(state: NamespaceState) -> Tables:
    """The index of this state, made at the first call and kept for the next ones."""
    kept = _kept.get(id(state))
    if kept is not None and kept[0] is state:
        _kept.move_to_end(id(state))
        return kept[1]
    tables = _read(state)
    _kept[id(state)] = (state, tables)
    if len(_kept) > MOST_STATES_KEPT:
        _kept.popitem(last=False)
    return tables


def _read(state: NamespaceState) -> Tables:
    links = rows(state.links(), "links")
    routes = rows(state.routes(), "routes")
    rules = rows(state.policy_rules(), "rules")
    addresses = rows(state.addresses(), "addresses")
    by_device: dict[int, list[InterfaceAddress]] = defaultdict(list)
    for entry in addresses:
        by_device[entry.link].append(entry)
    by_family = {
        family: tuple(sorted((r for r in rules if r.family == family), key=lambda rule: rule.priority))
        for family in (4, 6)
    }
    nexthops: tuple[NexthopObject, ...] = ()
    if any(route.nexthop_id is not None for route in routes):
        nexthops = rows(state.nexthops(), "nexthops")
    objects = {each.id: each for each in nexthops}
    return Tables(
        prefixes=_index(routes),
        rules=by_family,
        links={link.index: link for link in links},
        named={link.name: link for link in links},
        enslaved=_enslaved(links),
        addresses={link: tuple(entries) for link, entries in by_device.items()},
        owners={entry.address: entry for entry in addresses},
        nexthops=objects,
        sharing=_sharing(routes, objects),
        custom_rules={(r.priority, r.table) for r in by_family[4]} != DEFAULT_RULES[4]
        or any(_picky(rule) for rule in by_family[4]),
        custom_local_routes=any(_added_by_hand(route, by_device) for route in routes),
    )


def _enslaved(links: Iterable[Link]) -> dict[int, tuple[Link, ...]]:
    found: dict[int, list[Link]] = defaultdict(list)
    for link in links:
        if link.master is not None:
            found[link.master].append(link)
    return {master: tuple(members) for master, members in found.items()}


def members_of(number: int, objects: Mapping[int, NexthopObject]) -> tuple[int, ...]:
    """The next hop objects that this one stands for: the members of a group, or itself."""
    entry = objects.get(number)
    return tuple(member for member, _ in entry.group) if entry is not None and entry.group else (number,)


def _sharing(routes: Iterable[Route], objects: Mapping[int, NexthopObject]) -> dict[int, frozenset[Carried]]:
    found: dict[int, set[Carried]] = defaultdict(set)
    for route in routes:
        if route.nexthop_id is None or route.destination.version == 4:
            continue
        carried = Carried(route.destination.prefixlen, (route.preferred_source, route.mtu))
        for member in members_of(route.nexthop_id, objects):
            found[member].add(carried)
    return {number: frozenset(all_carried) for number, all_carried in found.items()}


def _index(routes: Iterable[Route]) -> dict[tuple[int, int], PrefixTable]:
    prefixes: dict[tuple[int, int], PrefixTable] = {}
    for route in routes:
        family = route.destination.version
        key = (family, route.table)
        if key not in prefixes:
            prefixes[key] = PrefixTable(bits=32 if family == 4 else 128)
        prefixes[key].add(route)
    for table in prefixes.values():
        table.finish()
    return prefixes


def _picky(rule: PolicyRule) -> bool:
    return bool(rule.source or rule.destination or rule.mask or rule.iif or rule.oif or rule.invert)


def _added_by_hand(route: Route, addresses: Mapping[int, list[InterfaceAddress]]) -> bool:
    """A local route that does not come with an address of a device (`fib_has_custom_local_routes`)."""
    protocol_kernel = 2
    if route.type != "local" or route.destination.version != 4 or route.protocol == protocol_kernel:
        return False
    return not any(
        entry.address == route.destination.network_address
        for hop in route.hops
        for entry in addresses.get(hop.device or 0, ())
    )
