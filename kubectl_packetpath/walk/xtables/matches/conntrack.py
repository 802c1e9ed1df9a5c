"""The conntrack match: what connection tracking knows of the packet.

Kernel: net/netfilter/xt_conntrack.c, include/uapi/linux/netfilter/xt_conntrack.h
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from kubectl_packetpath.packet import Address, Connection, Packet, State
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided, all_of, inverted
from kubectl_packetpath.walk.xtables.fields import address_of, negation, network, port_span, within

STATE, PROTO, STATUS, EXPIRES, DIRECTION, STATE_ALIAS = 0x1, 0x2, 0x40, 0x80, 0x1000, 0x2000
ADDRESSES = (("origsrc", 0x4), ("origdst", 0x8), ("replsrc", 0x10), ("repldst", 0x20))
PORTS = (("origsrcport", 0x100), ("origdstport", 0x200), ("replsrcport", 0x400), ("repldstport", 0x800))
STATE_BITS = {State.INVALID: 1, State.ESTABLISHED: 2, State.RELATED: 4, State.NEW: 8, State.UNTRACKED: 256}
SNAT, DNAT = 64, 128
STATE_WORDS = (
    ("INVALID", 1), ("NEW", 8), ("RELATED", 4), ("ESTABLISHED", 2), ("UNTRACKED", 256), ("SNAT", 64), ("DNAT", 128)
)  # fmt: skip
EXPECTED, SEEN_REPLY, ASSURED, CONFIRMED = 1, 2, 4, 8
STATUS_WORDS = (("EXPECTED", 1), ("SEEN_REPLY", 2), ("ASSURED", 4), ("CONFIRMED", 8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What the rule asks for; `match` and `invert` hold XT_CONNTRACK_* bits."""

    addresses: tuple[tuple[Address, Address], ...]
    """Address and mask in the order of `ADDRESSES`."""
    ports: tuple[tuple[int, int], ...]
    expires: tuple[int, int]
    protocol: int
    match: int
    invert: int
    states: int
    statuses: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_conntrack_mtinfo1`, 2 or 3."""
    data, revision = extension.data, extension.revision
    addresses = tuple(
        (address_of(data, at, family), address_of(data, at + 16, family)) for at in range(0, 128, 32)
    )
    low, high, protocol = struct.unpack_from("<IIH", data, 128)
    order = "<4H" if revision == 3 else ">4H"
    first = struct.unpack_from(order, data, 138)
    match, invert = struct.unpack_from("<HH", data, 146)
    states, statuses = struct.unpack_from("<BB" if revision == 1 else "<HH", data, 150)
    last = struct.unpack_from("<4H", data, 154) if revision == 3 else first
    return Spec(
        addresses=addresses,
        ports=tuple(zip(first, last, strict=True)),
        expires=(low, high),
        protocol=protocol,
        match=match,
        invert=invert,
        states=states,
        statuses=statuses,
    )


def state_bits(packet: Packet) -> int:
    """The state of the packet as the bits of the rule, SNAT and DNAT among them."""
    connection = packet.connection
    if connection is None:
        return STATE_BITS[State.INVALID]
    bits = STATE_BITS[connection.state]
    if connection.state not in {State.INVALID, State.UNTRACKED}:
        bits |= SNAT * connection.source_changed | DNAT * connection.destination_changed
    return bits


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """All that is asked must be so; without a connection only the state can be."""
    del here
    if spec.match & STATE and bool(spec.states & state_bits(packet)) == bool(spec.invert & STATE):
        return False
    connection = packet.connection
    if connection is None or connection.state in {State.INVALID, State.UNTRACKED}:
        return bool(spec.match & STATE)
    return all_of(_parts(spec, connection))


def _parts(spec: Spec, connection: Connection) -> Iterator[Decision]:
    original, reply = connection.original, connection.reply
    if spec.match & DIRECTION:
        yield (not connection.is_reply) != bool(spec.invert & DIRECTION)
    ends = (original.source, original.destination, reply.source, reply.destination)
    for (_, bit), end, (wanted, mask) in zip(ADDRESSES, ends, spec.addresses, strict=True):
        if spec.match & bit:
            yield within(end, wanted, mask) != bool(spec.invert & bit)
    if spec.match & PROTO:
        yield (original.protocol == spec.protocol) != bool(spec.invert & PROTO)
    numbers = (original.sport, original.dport, reply.sport, reply.dport)
    for (_, bit), number, (first, last) in zip(PORTS, numbers, spec.ports, strict=True):
        if spec.match & bit:
            yield (first <= number <= last) != bool(spec.invert & bit)
    if spec.match & STATUS:
        yield inverted(_has_status(spec.statuses, connection), bool(spec.invert & STATUS))
    if spec.match & EXPIRES:
        yield Undecided("the time left to the connection decides")


def _has_status(wanted: int, connection: Connection) -> Decision:
    bits = EXPECTED * bool(connection.expected_by) | CONFIRMED * (connection.confirmed or connection.entered)
    bits |= SEEN_REPLY * (connection.state is State.ESTABLISHED)
    if wanted & bits:
        return True
    if wanted & (SEEN_REPLY | ASSURED) and connection.confirmed:
        return Undecided("whether the connection was answered is not recorded")
    return False


def words(spec: Spec) -> str:
    """`--ctstate RELATED,ESTABLISHED`."""
    parts = []
    if spec.match & STATE:
        names = ",".join(name for name, bit in STATE_WORDS if spec.states & bit)
        option = "--state" if spec.match & STATE_ALIAS else "--ctstate"
        parts.append(f"{negation(bool(spec.invert & STATE))}{option} {names}")
    if spec.match & PROTO:
        parts.append(f"{negation(bool(spec.invert & PROTO))}--ctproto {spec.protocol}")
    for (name, bit), (address, mask) in zip(ADDRESSES, spec.addresses, strict=True):
        if spec.match & bit:
            text = network(address, mask)
            whole = str(address.max_prefixlen)
            text = text.removesuffix(f"/{whole}")
            parts.append(f"{negation(bool(spec.invert & bit))}--ct{name} {text}")
    for (name, bit), span in zip(PORTS, spec.ports, strict=True):
        if spec.match & bit:
            parts.append(f"{negation(bool(spec.invert & bit))}--ct{name} {port_span(span)}")
    if spec.match & STATUS:
        names = ",".join(name for name, bit in STATUS_WORDS if spec.statuses & bit) or "NONE"
        parts.append(f"{negation(bool(spec.invert & STATUS))}--ctstatus {names}")
    if spec.match & EXPIRES:
        parts.append(f"{negation(bool(spec.invert & EXPIRES))}--ctexpire {port_span(spec.expires)}")
    if spec.match & DIRECTION:
        parts.append(f"--ctdir {'REPLY' if spec.invert & DIRECTION else 'ORIGINAL'}")
    return " ".join(parts)


def title(spec: Spec) -> str:
    """`-m state` is an alias of this match."""
    return "state" if spec.match & STATE_ALIAS else "conntrack"


MATCH = Match(
    name="conntrack",
    revisions=(1, 2, 3),
    unpack=unpack,
    holds=holds,
    words=words,
    title=title,
    certainty="exact; forks on --ctexpire and on --ctstatus of known connections",
)
