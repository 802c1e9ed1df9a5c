"""Network address translation: one mapping, applied to a connection and its packet.

Every NAT target and expression describes what it wants as a `NatRange`; this is the only place that
changes addresses and ports because of NAT, so legacy rules, nft rules and IPVS agree.

Kernel: net/netfilter/nf_nat_core.c, nf_nat_masquerade.c, nf_nat_redirect.c
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from kubectl_packetpath.packet import ICMP, ICMPV6, Address, Connection, Packet, endpoint
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.trace import Ending, Fact, History, Outcome, Step, StepKind, Verdict, told
from kubectl_packetpath.walk.conntrack import connection_fact, key_of
from kubectl_packetpath.walk.here import Here, Hook, Outcomes, ended, go_on
from kubectl_packetpath.walk.input_route import query_for
from kubectl_packetpath.walk.routing import fib_lookup
from kubectl_packetpath.walk.sources import scope6, source_for
from kubectl_packetpath.walk.tables import tables_of

MOST_BRANCHES = 1024
"""Addresses of one range that are told apart; a larger range is assumed to give its first address."""


class Manipulation(StrEnum):
    """Which end of the packet a mapping changes."""

    DESTINATION = "destination"
    SOURCE = "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class NatRange:
    """What a NAT rule asks for; the kernel's `nf_nat_range2`."""

    addresses: tuple[Address, Address] | None = None
    """First and last; None leaves the address alone, or lets `masquerade` or `redirect` choose it."""
    ports: tuple[int, int] | None = None
    port_base: int | None = None
    """For port shifting (`--to-destination A:first-last/base`)."""
    masquerade: bool = False
    redirect: bool = False
    netmap: bool = False
    """Map the network part one to one: `addresses` are first and last of the target network."""
    random: bool = False
    fully_random: bool = False
    persistent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """One mapping that the kernel may choose."""

    share: Fraction | None
    address: Address | None
    port: int | None
    port_chosen: bool = False


def rewrite(
    here: Here,
    packet: Packet,
    history: History | None,
    wanted: tuple[Manipulation, NatRange],
    because: tuple[Fact, ...],
) -> Outcomes:
    """Set up the mapping, change the packet and say so; forks where the kernel chooses an address."""
    manipulation, wish = wanted
    if packet.connection is None:
        yield go_on(packet, history)
        return
    for share, address in _addresses(here, packet, manipulation, wish):
        if address is None:
            device = here.out_device or here.in_device
            reason = (
                f"{device.name if device else 'the device'} has no address to use as {manipulation.value}"
            )
            ending = Ending(verdict=Verdict.DROPPED, reason=reason)
            lost = go_on(packet, history, share)
            yield ended(lost, ending, kind=StepKind.DROPPED, because=because)
            continue
        target = _with_port(
            here, packet, manipulation, wish, _Target(share=share, address=address, port=None)
        )
        yield _applied(packet, history, manipulation, target, because)


def _applied(
    packet: Packet,
    history: History | None,
    manipulation: Manipulation,
    target: _Target,
    because: tuple[Fact, ...],
) -> Outcome:
    address, connection = target.address, packet.connection
    if address is None or connection is None:
        raise ValueError("a mapping needs an address and a connection")
    has_ports = packet.protocol not in {ICMP, ICMPV6} and target.port is not None
    if manipulation is Manipulation.DESTINATION:
        changed = replace(packet, destination=address, dport=target.port if has_ports else packet.dport)
        reply = replace(connection.reply, source=address)
        reply = replace(reply, sport=target.port or 0) if has_ports else reply
        connection = replace(connection, reply=reply, dnat_done=True)
    else:
        changed = replace(packet, source=address, sport=target.port if has_ports else packet.sport)
        changed = replace(changed, sport_chosen=packet.sport_chosen or (has_ports and target.port_chosen))
        reply = replace(connection.reply, destination=address)
        reply = replace(reply, dport=target.port or 0) if has_ports else reply
        connection = replace(connection, reply=reply, snat_done=True, port_chosen=target.port_chosen)
    changed = replace(changed, connection=connection)
    step = _told_change(packet, changed, manipulation, because)
    outcome = go_on(changed, told(history, step), target.share)
    return replace(outcome, verdict="accept")


def _told_change(
    before: Packet, after: Packet, manipulation: Manipulation, because: tuple[Fact, ...]
) -> Step:
    old, new = _end(before, manipulation), _end(after, manipulation)
    if old == new:
        return Step(kind=StepKind.MATCHED, text=f"the {manipulation.value} stays {old}", because=because)
    text = f"{manipulation.value} {old} becomes {new}"
    return Step(kind=StepKind.REWROTE, text=text, because=because, before=before, after=after)


def _end(packet: Packet, manipulation: Manipulation) -> str:
    if manipulation is Manipulation.DESTINATION:
        return endpoint(packet.destination, packet.dport)
    return endpoint(packet.source, packet.sport)


def _addresses(
    here: Here, packet: Packet, manipulation: Manipulation, wish: NatRange
) -> Iterator[tuple[Fraction | None, Address | None]]:
    current = packet.destination if manipulation is Manipulation.DESTINATION else packet.source
    if wish.masquerade:
        yield Fraction(1), _masquerade_address(here, packet)
    elif wish.redirect:
        yield Fraction(1), _redirect_address(here, packet)
    elif wish.addresses is None:
        yield Fraction(1), current
    elif wish.netmap:
        low, high = (int(address) for address in wish.addresses)
        host_bits = low ^ high
        yield Fraction(1), type(current)((int(current) & host_bits) | (low & ~host_bits))
    else:
        yield from _of_range(wish.addresses, current, manipulation)


def _of_range(
    addresses: tuple[Address, Address], current: Address, manipulation: Manipulation
) -> Iterator[tuple[Fraction | None, Address | None]]:
    """The kernel hashes the ends of the connection: over all clients every address has the same share."""
    low, high = int(addresses[0]), int(addresses[1])
    if manipulation is Manipulation.SOURCE and low <= int(current) <= high:
        yield Fraction(1), current
        return
    count = high - low + 1
    if count > MOST_BRANCHES:
        yield None, addresses[0]
        return
    for number in range(low, high + 1):
        yield Fraction(1, count), type(addresses[0])(number)


def _masquerade_address(here: Here, packet: Packet) -> Address | None:
    """The address of the way out, as seen from the next hop."""
    device = here.out_device
    if device is None:
        return None
    toward = packet.destination
    if packet.family == 4:
        query = replace(query_for(packet, here.in_device), oif=device, iif=None, source=None)
        gateway = fib_lookup(here.state, query)[0].gateway
        toward = gateway if gateway is not None and gateway.version == 4 else toward
    return source_for(here.state, device, toward)


def _redirect_address(here: Here, packet: Packet) -> Address | None:
    """Loopback for a local packet, else the first address of the device that it came in by."""
    if here.hook is Hook.OUTPUT:
        return type(packet.destination)(0x7F000001 if packet.family == 4 else 1)
    device = here.in_device
    entries = tables_of(here.state).addresses.get(device.index, ()) if device is not None else ()
    secondary, unusable = 0x01, 0x48
    for entry in entries:
        if entry.address.version != packet.family:
            continue
        if packet.family == 4 and not entry.flags & secondary:
            return entry.address
        fits = packet.family == 6 and scope6(entry.address) == scope6(packet.destination)
        if fits and not entry.flags & unusable:
            return entry.address
    return None


def _with_port(
    here: Here, packet: Packet, manipulation: Manipulation, wish: NatRange, target: _Target
) -> _Target:
    current = packet.dport if manipulation is Manipulation.DESTINATION else packet.sport
    shuffled = wish.random or wish.fully_random
    if current is None:
        asks = packet.icmp_id is not None and manipulation is Manipulation.SOURCE
        return replace(target, port_chosen=shuffled and asks)
    if manipulation is Manipulation.DESTINATION:
        return replace(target, port=_destination_port(wish, current))
    if wish.ports is not None and not wish.ports[0] <= current <= wish.ports[1]:
        return replace(target, port=wish.ports[0], port_chosen=wish.ports[0] != wish.ports[1])
    taken = not packet.sport_chosen and _is_taken(here, packet, target.address)
    return replace(target, port=current, port_chosen=shuffled or taken)


def _destination_port(wish: NatRange, current: int) -> int:
    if wish.ports is None:
        return current
    low, high = wish.ports
    if wish.port_base is not None:
        return low + (current - wish.port_base) % (high - low + 1)
    return current if low <= current <= high else low


def _is_taken(here: Here, packet: Packet, address: Address | None) -> bool:
    """Another connection's answers already come to this address and port."""
    connection = packet.connection
    if connection is None or address is None or not here.ask_table:
        return False
    answer = replace(connection.reply, destination=address)
    entry = here.state.conntrack(key_of(answer, connection.zone))
    return entry is not None and not isinstance(entry, Absent)


def settled(connection: Connection, manipulation: Manipulation) -> Connection:
    """No rule wanted a mapping: that is remembered, too (a null binding)."""
    if manipulation is Manipulation.DESTINATION:
        return replace(connection, dnat_done=True)
    return replace(connection, snat_done=True)


def repeat(here: Here, packet: Packet, history: History | None, manipulation: Manipulation) -> Outcome:
    """Apply what the connection has stored: its mapping, or for an answer the undoing of it."""
    connection = packet.connection
    if connection is None:
        return go_on(packet, history)
    expected = connection.original if connection.is_reply else connection.reply
    known = (
        connection.source_changed if manipulation is Manipulation.SOURCE else connection.destination_changed
    )
    if connection.is_reply:
        known = (
            connection.destination_changed
            if manipulation is Manipulation.SOURCE
            else connection.source_changed
        )
    if not known:
        return go_on(packet, history)
    ports = packet.protocol not in {ICMP, ICMPV6}
    if manipulation is Manipulation.DESTINATION:
        changed = replace(
            packet, destination=expected.source, dport=expected.sport if ports else packet.dport
        )
    else:
        changed = replace(
            packet, source=expected.destination, sport=expected.dport if ports else packet.sport
        )
    if changed == packet:
        return go_on(packet, history)
    again = "back to" if connection.is_reply else "becomes"
    text = f"{manipulation.value} {_end(packet, manipulation)} {again} {_end(changed, manipulation)}"
    fact = connection_fact(here.node, connection)
    step = Step(kind=StepKind.REWROTE, text=text, because=(fact,), before=packet, after=changed)
    return go_on(changed, told(history, step))
