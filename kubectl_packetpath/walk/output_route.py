"""Where a local packet goes, and which source address it gets.

Kernel: net/ipv4/route.c ip_route_output_key_hash_rcu, net/ipv6/route.c ip6_route_output_flags, net/ipv6/ip6_output.c
ip6_dst_lookup_tail, net/ipv4/netfilter.c ip_route_me_harder
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from kubectl_packetpath.packet import TCP, UDP, Packet
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.trace import Ending, Fact, Verdict
from kubectl_packetpath.walk.here import Here, scaled, total
from kubectl_packetpath.walk.input_route import LOOPBACK, NO_ROUTE_TYPES, query_for
from kubectl_packetpath.walk.release import SOURCE_CHOOSES_NEXT_HOP, has
from kubectl_packetpath.walk.routing import RouteQuery, Way, fib_lookup
from kubectl_packetpath.walk.settings import fact, largest
from kubectl_packetpath.walk.sources import preferred_source, source6
from kubectl_packetpath.walk.tables import tables_of

CONNECTED = "the program connects its UDP socket, so the way is looked for once more from its source"
UNCONNECTED = "the program does not connect its UDP socket, so the way goes by the destination alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDecision:
    """A way out, with the packet as it takes it; or why there is none."""

    weight: Fraction | None
    packet: Packet
    way: Way | None = None
    device: Link | None = None
    ending: Ending | None = None
    because: tuple[Fact, ...] = ()


def route_output(here: Here, packet: Packet) -> Iterator[OutputDecision]:
    """Every way out for a packet of this namespace; an unspecified source is chosen.

    connect() of IPv4 looks once for a source, and once more for the way from there: rules that go by the source count.
    """
    decisions = list(_ways_out(here, packet, _query(here, packet)))
    if packet.family != 4 or not packet.source.is_unspecified or packet.protocol not in {TCP, UDP}:
        yield from decisions
        return
    by_source: dict[Packet, list[OutputDecision]] = {}
    for decision in decisions:
        if decision.ending is not None:
            yield decision
        else:
            by_source.setdefault(decision.packet, []).append(decision)
    for bound, first in by_source.items():
        yield from _from_there(here, bound, first)


def _query(here: Here, packet: Packet) -> RouteQuery:
    return replace(query_for(packet, None), source_chooses=has(here.kernel, SOURCE_CHOOSES_NEXT_HOP))


def _from_there(here: Here, packet: Packet, first: list[OutputDecision]) -> Iterator[OutputDecision]:
    """The ways once this source is known, for what connects; a UDP socket may do without."""
    found = [_decided(here, packet, way, unbound=False) for way in _lookup(here, packet)]
    if {_name(each) for each in found} == {_name(each) for each in first}:
        yield from first
        return
    if packet.protocol == TCP:
        for each in found:
            yield replace(each, weight=scaled(total(way.weight for way in first), each.weight))
        return
    yield from (_if_so(each, CONNECTED) for each in found)
    yield from (_if_so(each, UNCONNECTED) for each in first)


def _lookup(here: Here, packet: Packet) -> Iterator[Way]:
    yield from fib_lookup(here.state, _query(here, packet))


def _name(decision: OutputDecision) -> tuple[object, ...]:
    way = decision.way
    return () if way is None else (way.type, way.device, way.gateway, decision.ending)


def _if_so(decision: OutputDecision, text: str) -> OutputDecision:
    way = decision.way
    way = replace(way, assumed=(*way.assumed, text)) if way is not None else None
    return replace(decision, weight=None, way=way)


def route_wrapped(
    here: Here, packet: Packet, bound_to: Link | None, mark: int | None = None
) -> Iterator[OutputDecision]:
    """Every way out for a packet that a tunnel made: the kernel's own, whoever sent what it carries.

    IPv4 takes the destination for a neighbour where no route leads out by the device that the tunnel is bound to.
    """
    query = replace(_query(here, packet), oif=bound_to, uid=0)
    yield from _ways_out(here, packet, query if mark is None else replace(query, mark=mark))


def _ways_out(here: Here, packet: Packet, query: RouteQuery) -> Iterator[OutputDecision]:
    unbound = packet.source.is_unspecified
    if unbound:
        query = replace(query, source=None)
    elif _foreign(here, packet):
        reason = f"{packet.source} is no address of this namespace: a socket cannot send from it"
        yield OutputDecision(
            weight=Fraction(1), packet=packet, ending=Ending(verdict=Verdict.NO_ROUTE, reason=reason)
        )
        return
    for way in fib_lookup(here.state, query):
        if way.type in NO_ROUTE_TYPES and query.oif is not None and packet.family == 4:
            yield _decided(here, packet, Way(type="unicast", device=query.oif), unbound=unbound)
        elif way.type in NO_ROUTE_TYPES and query.oif is None and packet.family == 6 and unbound:
            yield from _from_any(here, packet, query, way)
        else:
            yield _decided(here, packet, way, unbound=unbound)


def _from_any(here: Here, packet: Packet, query: RouteQuery, lost: Way) -> Iterator[OutputDecision]:
    """Where nothing leads on, IPv6 chooses a source all the same, and looks once more from there."""
    source = source6(here.state, None, packet.destination)
    if source is None:
        yield _decided(here, packet, lost, unbound=True)
        return
    for way in fib_lookup(here.state, replace(query, source=source)):
        doubtful = replace(way, assumed=(*lost.assumed, *way.assumed), weight=scaled(lost.weight, way.weight))
        bound = packet if way.type in NO_ROUTE_TYPES else replace(packet, source=source)
        yield _decided(here, bound, doubtful, unbound=False)


def _foreign(here: Here, packet: Packet) -> bool:
    """IPv4 refuses to send from addresses that are not its own (unless the socket is transparent)."""
    if packet.family != 4 or packet.source.is_loopback:
        return False
    query = replace(_query(here, packet), destination=packet.source, source=None)
    return (
        packet.source not in tables_of(here.state).owners and fib_lookup(here.state, query)[0].type != "local"
    )


def _decided(here: Here, packet: Packet, way: Way, *, unbound: bool) -> OutputDecision:
    facts = way.facts(here.node)
    base = OutputDecision(weight=way.weight, packet=packet, way=way, because=facts)
    if way.type in NO_ROUTE_TYPES:
        reason = (
            f"no route to {packet.destination}"
            if way.type == "none"
            else f"the route to {packet.destination} is of type {way.type}"
        )
        ending = Ending(verdict=Verdict.NO_ROUTE, reason=reason, remedy=f"ip route get {packet.destination}")
        return replace(base, ending=ending)
    if unbound:
        source = preferred_source(here.state, way, packet.destination)
        if source is None:
            reason = f"no address of this namespace can be the source toward {packet.destination}"
            return replace(base, ending=Ending(verdict=Verdict.NO_ROUTE, reason=reason))
        packet = replace(packet, source=source)
    device = out_device(here, way)
    kept = _kept_home(here, packet, device, way.weight)
    return kept if kept is not None else replace(base, packet=packet, device=device)


def _kept_home(
    here: Here, packet: Packet, device: Link | None, weight: Fraction | None
) -> OutputDecision | None:
    """A loopback address is no source for packets that leave by another device (__mkroute_output)."""
    if device is None or device.is_loopback or device.kind == "vrf" or packet.source not in LOOPBACK:
        return None
    if largest(here.state, device, "route_localnet"):
        return None
    key = f"net/ipv4/conf/{device.name}/route_localnet"
    facts = tuple(fact(here.node, here.state, each) for each in (key, "net/ipv4/conf/all/route_localnet"))
    reason = f"the source {packet.source} is a loopback address, which may not leave by {device.name}"
    remedy = f"sysctl -w {key.replace('/', '.')}=1"
    ending = Ending(verdict=Verdict.DROPPED, reason=reason, remedy=remedy)
    return OutputDecision(weight=weight, packet=packet, ending=ending, because=facts)


def out_device(here: Here, way: Way) -> Link | None:
    """The device that the packet leaves by: loopback for everything that stays here."""
    if way.type == "local" or (way.type == "anycast" and way.device is not None and way.device.is_loopback):
        links = tables_of(here.state).links.values()
        return next((link for link in links if link.is_loopback), None)
    return way.device


def route_again(here: Here, packet: Packet) -> Iterator[OutputDecision]:
    """After OUTPUT changed addresses or the mark: the source stays, only the way is looked up anew.

    IPv4 does not say who sent the packet, so it is root's to rules that go by the uid; IPv6 does.
    """
    query = _query(here, packet)
    if packet.family == 4:
        query = replace(query, uid=0)
    own = packet.source in tables_of(here.state).owners or packet.source.is_loopback
    if not own:
        query = replace(query, source=None)
    for way in fib_lookup(here.state, query):
        yield _decided(here, packet, way, unbound=False)
