"""Which of a route's next hops a packet takes: in shares, as a hash of its addresses and ports falls.

Each next hop has its range of the hash, by weight. One whose neighbour is known not to answer is passed over where the
kernel looks at neighbours (not for a resilient group), and its range falls to another.

Kernel: net/ipv4/fib_semantics.c fib_select_multipath, net/ipv4/nexthop.c nexthop_select_path_hthr, net/ipv6/route.c
fib6_select_path, rt6_check_neigh
"""

from dataclasses import dataclass, replace
from fractions import Fraction

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.routing import (
    NTF_PROXY,
    NUD_FAILED,
    NUD_INCOMPLETE,
    RTNH_F_DEAD,
    RTNH_F_LINKDOWN,
    NextHop,
    Route,
)
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.walk.settings import number
from kubectl_packetpath.walk.sources import source4
from kubectl_packetpath.walk.tables import Tables
from kubectl_packetpath.walk.ways import RouteQuery

BLACKHOLE = NextHop(flags=0)


def hops_of(route: Route, tables: Tables) -> tuple[NextHop, ...]:
    """The next hops of a route, by its next hop object where it has one."""
    if route.nexthop_id is None:
        return route.hops
    entry = tables.nexthops.get(route.nexthop_id)
    if entry is None:
        return route.hops
    if entry.blackhole:
        return (BLACKHOLE,)
    if entry.hop is not None:
        return (entry.hop,)
    members = [(tables.nexthops.get(member), weight) for member, weight in entry.group]
    return tuple(
        replace(member.hop, weight=weight)
        for member, weight in members
        if member is not None and member.hop is not None
    )


def usable(state: NamespaceState, tables: Tables, hop: NextHop, query: RouteQuery) -> bool:
    """Not on a device without a carrier, if those are to be ignored: by all devices (IPv4) or this very one."""
    if hop.flags & RTNH_F_DEAD:
        return False
    if not hop.flags & RTNH_F_LINKDOWN or query.ignore_linkstate:
        return True
    link = tables.links.get(hop.device or 0)
    folder = f"net/ipv{query.destination.version}/conf"
    names = ["all"] if query.destination.version == 4 else []
    names += [link.name] if link is not None else []
    return all(state.sysctl(f"{folder}/{name}/ignore_routes_with_linkdown") in {None, "0"} for name in names)


def failed(state: NamespaceState, hop: NextHop, states: int = NUD_FAILED) -> bool:
    """Whether the next hop's neighbour entry is in one of these states."""
    neighbours = state.neighbours() if hop.gateway is not None else ()
    return any(
        entry.state & states and entry.link == hop.device and entry.address == hop.gateway
        for entry in (() if isinstance(neighbours, Absent) else neighbours)
        if not entry.flags & NTF_PROXY
    )


def seeks_reachable(state: NamespaceState, query: RouteQuery) -> bool:
    """An IPv6 host that is no router passes over gateways that do not answer, as long as there is another way."""
    return query.destination.version == 6 and not number(state, "net/ipv6/conf/all/forwarding")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A route's next hops that are alive, and who asks."""

    state: NamespaceState
    tables: Tables
    route: Route
    hops: tuple[NextHop, ...]
    query: RouteQuery

    def shares(self) -> tuple[tuple[NextHop, Fraction], ...]:
        """Each next hop that is taken, with the part of all hash values that lead to it."""
        if len(self.hops) < 2:
            return tuple((hop, Fraction(1)) for hop in self.hops)
        good = [place for place, hop in enumerate(self.hops) if self._is_good(hop)] or range(len(self.hops))
        preferred = {place for place in good if self._is_preferred(self.hops[place])}
        weight, total = [0] * len(self.hops), sum(hop.weight for hop in self.hops)
        for fallen, hop in enumerate(self.hops):
            taken = max(good, key=lambda place: (place in preferred, self._fits(place, fallen)))
            weight[taken] += hop.weight
        return tuple((hop, Fraction(own, total)) for hop, own in zip(self.hops, weight, strict=True) if own)

    def _fits(self, place: int, fallen: int) -> bool:
        """Whether a hash in the range of the one may be taken by the other: by those behind it, or by none (IPv6)."""
        if self.route.nexthop_id is None and self.route.destination.version == 6:
            return place == fallen
        return place >= fallen

    def _is_good(self, hop: NextHop) -> bool:
        if self.route.nexthop_id is not None:
            group = self.tables.nexthops.get(self.route.nexthop_id)
            return (group is not None and group.resilient) or not failed(
                self.state, hop, NUD_FAILED | NUD_INCOMPLETE
            )
        if self.route.destination.version == 6:
            return not (seeks_reachable(self.state, self.query) and failed(self.state, hop))
        checks = number(self.state, "net/ipv4/fib_multipath_use_neigh")
        return not (checks and failed(self.state, hop, NUD_FAILED | NUD_INCOMPLETE))

    def _is_preferred(self, hop: NextHop) -> bool:
        """The packet's source is the one that would be chosen for this next hop."""
        query, device = self.query, self.tables.links.get(hop.device or 0)
        if not query.source_chooses or query.source is None or query.iif is not None or device is None:
            return False
        if self.route.destination.version == 6 or self.route.nexthop_id is not None:
            return False
        gateway = hop.gateway if hop.gateway is not None and hop.gateway.version == 4 else None
        return source4(self.state, device, gateway, self.route.scope) == query.source
