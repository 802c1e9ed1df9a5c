"""Whether a packet may come in here, and whether it is for us or to be passed on.

Martian addresses, the reverse path filter and the forwarding switches, as they stand between PREROUTING and
INPUT or FORWARD.

Kernel: net/ipv4/route.c ip_route_input_slow, net/ipv4/fib_frontend.c fib_validate_source; net/ipv6/ip6_output.c
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from ipaddress import IPv4Network

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.trace import Ending, Fact, Verdict
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.routing import RouteQuery, Way, fib_lookup
from kubectl_packetpath.walk.settings import fact, largest, number
from kubectl_packetpath.walk.tables import tables_of

LOOPBACK = IPv4Network("127.0.0.0/8")
THIS_NETWORK = IPv4Network("0.0.0.0/8")
NO_ROUTE_TYPES = {"blackhole", "unreachable", "prohibit", "none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What input routing says: a way (local or onward), or why the packet ends here."""

    weight: Fraction | None
    way: Way | None = None
    ending: Ending | None = None
    because: tuple[Fact, ...] = ()


def route_input(here: Here, packet: Packet, device: Link) -> Iterator[Decision]:
    """Every way on for a packet that came in by this device."""
    if packet.family == 4:
        martian = _martian(here, packet, device)
        if martian is not None:
            yield martian
            return
    ways = fib_lookup(here.state, query_for(packet, device))
    for way in ways:
        yield _judged(here, packet, device, way)


def refused6(here: Here, packet: Packet, device: Link) -> Decision | None:
    """What IPv6 does not take from a wire, before any rule sees it (`ip6_rcv_core`)."""
    if packet.family != 6 or device.is_loopback:
        return None
    key = f"net/ipv6/conf/{device.name}/disable_ipv6"
    if number(here.state, key):
        facts = (fact(here.node, here.state, key),)
        return _dropped(f"IPv6 is disabled on {device.name}", facts, f"sysctl -w {key.replace('/', '.')}=0")
    for name, address in (("source", packet.source), ("destination", packet.destination)):
        if address.is_loopback or (address.is_multicast and name == "source"):
            return _dropped(f"the {name} {address} never comes in over a wire (martian)", ())
    return None


def query_for(packet: Packet, device: Link | None) -> RouteQuery:
    """What routing wants to know of a packet that came in by this device (None: a local one)."""
    return RouteQuery(
        destination=packet.destination,
        source=packet.source,
        mark=packet.mark,
        tos=packet.tos,
        iif=device,
        uid=0 if device is not None else packet.uid,
        protocol=packet.protocol,
        sport=packet.sport or 0,
        dport=packet.dport or 0,
    )


def _dropped(reason: str, because: tuple[Fact, ...], remedy: str = "") -> Decision:
    ending = Ending(verdict=Verdict.DROPPED, reason=reason, remedy=remedy)
    return Decision(weight=Fraction(1), ending=ending, because=because)


def _martian(here: Here, packet: Packet, device: Link) -> Decision | None:
    """Addresses that never come in over a wire."""
    state, source, destination = here.state, packet.source, packet.destination
    if source.is_multicast or int(source) == 0xFFFFFFFF or (source in THIS_NETWORK and int(source)):
        return _dropped(f"the source {source} is impossible (martian)", ())
    if destination in THIS_NETWORK:
        return _dropped(f"the destination {destination} is impossible (martian)", ())
    if source not in LOOPBACK and destination not in LOOPBACK:
        return None
    if largest(state, device, "route_localnet") or device.is_loopback:
        return None
    key = f"net/ipv4/conf/{device.name}/route_localnet"
    which = f"destination {destination}" if destination in LOOPBACK else f"source {source}"
    return _dropped(
        f"the {which} is a loopback address, and {device.name} does not take those (martian)",
        (fact(here.node, state, key), fact(here.node, state, "net/ipv4/conf/all/route_localnet")),
        f"sysctl -w {key.replace('/', '.')}=1",
    )


def _judged(here: Here, packet: Packet, device: Link, way: Way) -> Decision:
    forwarding = may_forward(here.state, device, packet.family)
    if way.type in NO_ROUTE_TYPES:
        return _no_route(here, packet, way)
    if way.type == "local" or (packet.family == 6 and way.type == "anycast"):
        refused = _bad_source(here, packet, device, None)
        return refused or Decision(weight=way.weight, way=way, because=way.facts(here.node))
    if way.type != "unicast":
        return _dropped(f"{packet.destination} is a {way.type} address", way.facts(here.node))
    if not forwarding:
        return _not_forwarding(here, packet, device, way)
    if packet.family == 6 and packet.source.is_link_local:
        reason = (
            f"the source {packet.source} means nothing beyond the wire of {device.name}: it is not forwarded"
        )
        return replace(_dropped(reason, ()), weight=way.weight)
    refused = _bad_source(here, packet, device, way.device)
    if refused is not None:
        return replace(refused, weight=way.weight)
    return Decision(weight=way.weight, way=way, because=way.facts(here.node))


def _no_route(here: Here, packet: Packet, way: Way) -> Decision:
    reason = (
        f"no route to {packet.destination}"
        if way.type == "none"
        else f"the route to {packet.destination} is of type {way.type}"
    )
    ending = Ending(verdict=Verdict.NO_ROUTE, reason=reason, remedy=f"ip route get {packet.destination}")
    return Decision(weight=way.weight, ending=ending, because=way.facts(here.node))


def may_forward(state: NamespaceState, device: Link, family: int) -> bool:
    """Whether packets that come in by this device are passed on."""
    if family == 4:
        return number(state, f"net/ipv4/conf/{device.name}/forwarding") == 1
    everywhere = number(state, "net/ipv6/conf/all/forwarding") >= 1
    return everywhere or number(state, f"net/ipv6/conf/{device.name}/force_forwarding") == 1


def _not_forwarding(here: Here, packet: Packet, device: Link, way: Way) -> Decision:
    state = here.state
    facts: tuple[Fact, ...]
    if packet.family == 6:
        key = "net/ipv6/conf/all/forwarding"
        facts = (fact(here.node, state, key),)
    else:
        key = f"net/ipv4/conf/{device.name}/forwarding"
        facts = (fact(here.node, state, "net/ipv4/ip_forward"), fact(here.node, state, key))
        if number(state, "net/ipv4/ip_forward") == 0:
            key = "net/ipv4/ip_forward"
    reason = f"{packet.destination} is not here, and packets from {device.name} are not forwarded"
    refused = _dropped(reason, facts, f"sysctl -w {key.replace('/', '.')}=1")
    return replace(refused, weight=way.weight)


def _bad_source(here: Here, packet: Packet, device: Link, out_device: Link | None) -> Decision | None:
    """The reverse path filter (`fib_validate_source`); IPv6 has none of it."""
    if packet.family != 4 or device.is_loopback:
        return None
    state, tables = here.state, tables_of(here.state)
    strictness = largest(state, device, "rp_filter")
    accept_local = bool(largest(state, device, "accept_local"))
    if not strictness and (
        out_device is None or out_device.index != device.index or not _redirects(state, device)
    ):
        if accept_local:
            return None
        if not tables.custom_rules and not tables.custom_local_routes:
            own = tables.owners.get(packet.source)
            return _spoofed(packet, ()) if own is not None else None
    return _reverse(here, packet, device, strictness, out_device)


def _redirects(state: NamespaceState, device: Link) -> bool:
    """Whether ICMP redirects are sent by this device, for which the kernel looks more closely."""
    return bool(largest(state, device, "send_redirects"))


def _spoofed(packet: Packet, facts: tuple[Fact, ...]) -> Decision:
    return _dropped(f"the source {packet.source} is an address of this very host (martian)", facts)


def _reverse(
    here: Here, packet: Packet, device: Link, strictness: int, out_device: Link | None
) -> Decision | None:
    """The answer is looked up as if it came in where the packet goes out, or from a program of this host."""
    state = here.state
    loopback = next((link for link in tables_of(state).links.values() if link.is_loopback), None)
    query = RouteQuery(
        destination=packet.source,
        source=packet.destination,
        mark=packet.mark if largest(state, device, "src_valid_mark") else 0,
        tos=packet.tos,
        iif=out_device or loopback,
        uid=0,
        protocol=packet.protocol,
        sport=packet.dport or 0,
        dport=packet.sport or 0,
    )
    ways = fib_lookup(state, query)
    first = ways[0]
    facts = (*_filter_facts(here, device), *first.facts(here.node))
    if first.type in NO_ROUTE_TYPES:
        return _filtered(packet, device, facts) if strictness else None
    if first.type == "local" and not largest(state, device, "accept_local"):
        return _spoofed(packet, first.facts(here.node))
    if first.type not in {"local", "unicast"}:
        return _dropped(f"the source {packet.source} is a {first.type} address (martian)", facts)
    if any(way.device is not None and way.device.index == device.index for way in ways):
        return None
    no_address = not any(e.address.version == 4 for e in tables_of(state).addresses.get(device.index, ()))
    if strictness == 1 or (no_address and strictness):
        return _filtered(packet, device, facts)
    return None


def _filter_facts(here: Here, device: Link) -> tuple[Fact, ...]:
    return tuple(
        fact(here.node, here.state, f"net/ipv4/conf/{name}/rp_filter") for name in ("all", device.name)
    )


def _filtered(packet: Packet, device: Link, facts: tuple[Fact, ...]) -> Decision:
    return _dropped(
        f"the way back to {packet.source} does not go by {device.name} (reverse path filter)",
        facts,
        f"sysctl -w net.ipv4.conf.{device.name}.rp_filter=2",
    )
