"""Policy rules and tables: from a question about routing to the route that answers it.

Rules are asked in order of priority until a table has an answer; in a table the longest prefix wins, then
tos, then metric. Next hops of the winner become one way each, by weight.

Kernel: net/core/fib_rules.c, net/ipv4/fib_rules.c, fib_trie.c, fib_semantics.c; net/ipv6/route.c
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from ipaddress import IPv6Address
from typing import NamedTuple

from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.routing import (
    RTNH_F_ONLINK,
    TABLE_LOCAL,
    TABLE_MAIN,
    NextHop,
    PolicyRule,
    Route,
)
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.walk.here import scaled, total
from kubectl_packetpath.walk.hops import BLACKHOLE, Choice, failed, hops_of, seeks_reachable, usable
from kubectl_packetpath.walk.rules import matches, named_table
from kubectl_packetpath.walk.tables import Carried, PrefixTable, Tables, members_of, tables_of
from kubectl_packetpath.walk.ways import RouteQuery, Way

UNSPECIFIED = IPv6Address("::")
REJECTING = {"blackhole", "unreachable", "prohibit"}
LEGACY_TOS_MASK = 0x1C
OTHER_LENGTH = (
    "ip rule {}: suppress_prefixlength may see the length of another IPv6 route with next hop object {}"
)
OTHER_SETTINGS = "source and MTU may be those of another IPv6 route with next hop object {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A route that answers, with the next hops that are alive."""

    route: Route
    hops: tuple[NextHop, ...]
    type: str


def search(state: NamespaceState, query: RouteQuery) -> tuple[Way, ...]:
    """The ways that rules and tables allow; one of type `none` where nothing matches."""
    return tuple(_search(state, query, tables_of(state), 0, ()))


def _search(
    state: NamespaceState, query: RouteQuery, tables: Tables, position: int, assumed: tuple[str, ...]
) -> Iterator[Way]:
    """From this rule on."""
    rules = tables.rules[query.destination.version]
    while position < len(rules):
        rule = rules[position]
        position += 1
        holds, doubts = matches(rule, query, tables)
        assumed += doubts
        if not holds or rule.action == "nop":
            continue
        if rule.action == "goto":
            position = _target(rules, rule, position)
            continue
        if rule.action in REJECTING:
            yield _hopless(rule.action, assumed, rule)
            return
        match = _in_table(state, tables, rule, query)
        if match is None or match.type == "throw":
            continue
        choice = Choice(state=state, tables=tables, route=match.route, hops=match.hops, query=query)
        answer = _answered(rule, match, choice, assumed)
        yield from answer.ways
        if answer.left != 0:
            for way in _search(state, query, tables, position, answer.assumed):
                yield replace(way, weight=scaled(answer.left, way.weight))
        return
    yield _hopless("none", assumed)


class _Answer(NamedTuple):
    """What a rule's table says, as far as the rule lets it."""

    ways: tuple[Way, ...]
    left: Fraction | None
    """The share of packets for which the rules behind are asked."""
    assumed: tuple[str, ...]


def _answered(rule: PolicyRule, match: Match, choice: Choice, assumed: tuple[str, ...]) -> _Answer:
    shared = carried(match.route, choice.tables)
    unwanted = _suppressed(rule, match, shared)
    if unwanted == {True}:
        return _Answer((), Fraction(1), assumed)
    if len(unwanted) > 1:
        assumed += (OTHER_LENGTH.format(rule.priority, match.route.nexthop_id),)
        return _Answer(tuple(_ways(choice, rule, match.type, assumed)), None, assumed)
    doubt = _merged_doubt(choice.tables, rule, choice.query, match) + _unrecorded_group(rule, choice)
    if len({each.settings for each in shared}) > 1:
        doubt += (OTHER_SETTINGS.format(match.route.nexthop_id),)
    ways = tuple(_ways(choice, rule, match.type, assumed + doubt))
    refused = tuple(way for way in ways if _of_group(rule, way, choice))
    kept = tuple(way for way in ways if way not in refused)
    return _Answer(kept, total(way.weight for way in refused), assumed)


def _unrecorded_group(rule: PolicyRule, choice: Choice) -> tuple[str, ...]:
    devices = (choice.tables.links.get(hop.device or 0) for hop in choice.hops)
    if rule.suppress_group is None or all(each is None or each.group is not None for each in devices):
        return ()
    return (f"ip rule {rule.priority}: suppress_ifgroup asks for groups of devices, which are not recorded",)


def _of_group(rule: PolicyRule, way: Way, choice: Choice) -> bool:
    """Whether `suppress_ifgroup` refuses it: IPv4 looks at the route's first next hop, IPv6 at the one that is taken."""
    device = way.device
    if rule.suppress_group is None or device is None:
        return False
    if choice.route.destination.version == 4:
        device = choice.tables.links.get(hops_of(choice.route, choice.tables)[0].device or 0)
    return device is not None and device.group == rule.suppress_group


def _hopless(kind: str, assumed: tuple[str, ...], rule: PolicyRule | None = None) -> Way:
    return Way(type=kind, rule=rule, assumed=assumed, weight=None if assumed else Fraction(1))


def _target(rules: tuple[PolicyRule, ...], rule: PolicyRule, position: int) -> int:
    """Where a goto goes on; a target that is not further on, as the kernel has it, makes it a rule without effect."""
    for index, other in enumerate(rules[position:], position):
        if other.priority == rule.goto:
            return index
    return position


def _suppressed(rule: PolicyRule, match: Match, shared: frozenset[Carried]) -> set[bool]:
    """Whether the rule does not want so short a prefix; a route that rejects is never suppressed."""
    limit = rule.suppress_prefix_length
    if limit is None or not match.hops:
        return {False}
    return {
        length <= limit for length in (match.route.destination.prefixlen, *(each.length for each in shared))
    }


def carried(route: Route, tables: Tables) -> frozenset[Carried]:
    """What routes bring along that this one may be taken for: IPv6 routes with the same next hop object.

    The kernel keeps what an IPv6 lookup gave with the next hop, per processor, as the route had it that was the
    first to ask: net/ipv6/route.c rt6_get_pcpu_route.
    """
    if route.nexthop_id is None or route.destination.version == 4:
        return frozenset()
    return frozenset().union(
        *(tables.sharing.get(each, ()) for each in members_of(route.nexthop_id, tables.nexthops))
    )


def _in_table(state: NamespaceState, tables: Tables, rule: PolicyRule, query: RouteQuery) -> Match | None:
    number = named_table(rule, query, tables)
    table = tables.prefixes.get((query.destination.version, number)) if number is not None else None
    if table is None:
        return None
    if query.destination.version == 4:
        return _match4(state, tables, table, query)
    return _match6(state, tables, table, query)


def _match4(state: NamespaceState, tables: Tables, table: PrefixTable, query: RouteQuery) -> Match | None:
    for route in table.matching(query.destination):
        if route.tos and route.tos != query.tos & LEGACY_TOS_MASK:
            continue
        if route.type in REJECTING or route.type == "throw":
            return Match(route=route, hops=(), type=route.type)
        hops = hops_of(route, tables)
        if hops == (BLACKHOLE,):
            return Match(route=route, hops=(), type="blackhole")
        alive = tuple(hop for hop in hops if usable(state, tables, hop, query))
        if query.oif is not None:
            alive = tuple(hop for hop in alive if hop.device == query.oif.index)[:1]
        if alive:
            return Match(route=route, hops=alive, type=route.type)
    return None


def _match6(state: NamespaceState, tables: Tables, table: PrefixTable, query: RouteQuery) -> Match | None:
    """The best route; but one whose gateways all are known not to answer only if there is no other."""
    best = _best6(state, tables, table, query, frozenset())
    if best is None or not seeks_reachable(state, query):
        return best
    silent: frozenset[Route] = frozenset()
    other: Match | None = best
    while other is not None and other.hops and all(failed(state, hop) for hop in other.hops):
        silent |= {other.route}
        other = _best6(state, tables, table, query, silent)
    return other or best


def _best6(
    state: NamespaceState, tables: Tables, table: PrefixTable, query: RouteQuery, silent: frozenset[Route]
) -> Match | None:
    wanted = query.oif or (query.iif if needs_device(query.destination) else None)
    strict = wanted is not None and (
        needs_device(query.destination) or query.source is None or query.source.is_unspecified
    )
    best: Match | None = None
    best_score = -1
    for route in table.matching_from(query.destination, query.source or UNSPECIFIED):
        if best is not None and not _same_leaf(best.route, route):
            break
        if route in silent:
            continue
        match, score = _scored(state, tables, route, query, wanted)
        if match is None or (strict and not score & 2):
            continue
        score += (route.preference ^ 2) << 2
        if score > best_score:
            best, best_score = match, score
    return best


def _same_leaf(one: Route, other: Route) -> bool:
    return (one.destination, one.source, one.metric) == (other.destination, other.source, other.metric)


def _scored(
    state: NamespaceState, tables: Tables, route: Route, query: RouteQuery, wanted: Link | None
) -> tuple[Match | None, int]:
    """How well an IPv6 route fits, but for its router's preference, which counts more: by its device."""
    if route.type in REJECTING or route.type == "throw":
        return Match(route=route, hops=(), type=route.type), 2 if wanted is None else 0
    hops = hops_of(route, tables)
    if hops == (BLACKHOLE,):
        return Match(route=route, hops=(), type="blackhole"), 2
    alive = tuple(hop for hop in hops if usable(state, tables, hop, query))
    if wanted is None:
        return (Match(route=route, hops=alive, type=route.type), 2) if alive else (None, -1)
    fitting = tuple(hop for hop in alive if hop.device == wanted.index)
    if fitting:
        return Match(route=route, hops=fitting[:1], type=route.type), 2
    return (Match(route=route, hops=alive, type=route.type), 0) if alive else (None, -1)


def needs_device(address: Address) -> bool:
    """Whether an address means nothing without a device (`rt6_need_strict`)."""
    return address.version == 6 and (address.is_multicast or address.is_link_local or address.is_loopback)


def _merged_doubt(tables: Tables, rule: PolicyRule, query: RouteQuery, match: Match) -> tuple[str, ...]:
    """Until the first `ip rule` change, IPv4 keeps local and main in one trie and the longer prefix of both wins.

    Whether there ever was such a change is not to be seen afterwards.
    """
    if query.destination.version != 4 or tables.custom_rules or rule.table != TABLE_LOCAL:
        return ()
    main = tables.prefixes.get((4, TABLE_MAIN))
    longer = next(main.matching(query.destination), None) if main is not None else None
    if longer is None or longer.destination.prefixlen <= match.route.destination.prefixlen:
        return ()
    text = f"tables local ({match.route.destination}) and main ({longer.destination}) may be merged in the kernel"
    return (text,)


def _ways(choice: Choice, rule: PolicyRule, kind: str, assumed: tuple[str, ...]) -> Iterator[Way]:
    base = Way(
        type=kind,
        route=choice.route,
        rule=rule,
        assumed=assumed,
        prefix_length=choice.route.destination.prefixlen,
        weight=None if assumed else Fraction(1),
    )
    if not choice.hops:
        yield base
    for hop, share in choice.shares():
        yield replace(
            base,
            weight=None if assumed else share,
            device=choice.tables.links.get(hop.device or 0),
            gateway=hop.gateway,
            encapsulation=hop.encapsulation,
            onlink=bool(hop.flags & RTNH_F_ONLINK),
        )
