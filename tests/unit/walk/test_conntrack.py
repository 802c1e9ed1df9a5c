"""Connections: known ones, new ones, and packets that fit none."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from unit.walk.states import WrittenState, here, packet

from kubectl_packetpath.packet import ICMP, TCP_ACK, TCP_RST, TCP_SYN, UDP, Connection, Packet, State
from kubectl_packetpath.snapshot.netlink import attribute
from kubectl_packetpath.walk.conntrack import answer_flow, decode, key_of, track
from kubectl_packetpath.walk.here import Hook

SYN = packet("10.0.0.1:40000 10.96.0.1:80", tcp_flags=TCP_SYN)


def tuple_of(source: str, destination: str, sport: int, dport: int) -> bytes:
    """A TCP tuple as ctnetlink writes it."""
    addresses = attribute(1, ip_address(source).packed) + attribute(2, ip_address(destination).packed)
    protocol = attribute(1, b"\x06") + attribute(2, sport.to_bytes(2)) + attribute(3, dport.to_bytes(2))
    return attribute(0x8001, addresses) + attribute(0x8002, protocol)


ENTRY = (
    attribute(0x8001, tuple_of("10.0.0.1", "10.96.0.1", 40000, 80))
    + attribute(0x8002, tuple_of("10.1.0.3", "10.0.0.1", 8080, 40000))
    + attribute(3, (0x18A).to_bytes(4))
    + attribute(8, (0x4000).to_bytes(4))
)


def tracked(state: WrittenState, first: Packet, **more: object) -> Connection:
    """The connection that the stage attaches."""
    (outcome,) = track(here(state, Hook.PREROUTING, **more), first, None)
    assert outcome.packet.connection is not None
    return outcome.packet.connection


def test_an_entry_is_read_from_its_attributes() -> None:
    """Both tuples, status and mark."""
    entry = decode(ENTRY)

    assert str(entry.original.destination) == "10.96.0.1"
    assert (str(entry.reply.source), entry.reply.sport) == ("10.1.0.3", 8080)
    assert (entry.status, entry.mark) == (0x18A, 0x4000)


def test_bytes_that_end_early_are_refused() -> None:
    """A torn message is no connection."""
    with pytest.raises(ValueError, match="attribute at"):
        decode(ENTRY[:-4])


def test_the_table_is_asked_only_for_questions_about_running_flows() -> None:
    """A question about a new connection is not answered by an old one of the same ports."""
    state = WrittenState(flows={key_of(SYN.flow): ENTRY})

    assert tracked(state, SYN).state is State.NEW
    known = tracked(state, SYN, ask_table=True)
    assert (known.state, known.confirmed, known.mark) == (State.ESTABLISHED, True, 0x4000)


def test_an_answer_finds_the_connection_that_the_question_made() -> None:
    """By its reply tuple."""
    made = Connection(state=State.NEW, original=SYN.flow, reply=answer_flow(SYN.flow), confirmed=True)
    answer = packet("10.96.0.1:80 10.0.0.1:40000", tcp_flags=TCP_SYN | TCP_ACK)

    known = tracked(WrittenState(), answer, connections=(made,))

    assert (known.state, known.is_reply) == (State.ESTABLISHED, True)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (TCP_SYN, State.NEW),
        (TCP_SYN | TCP_ACK, State.INVALID),
        (TCP_ACK, State.NEW),
        (TCP_RST, State.INVALID),
    ],
)
def test_the_first_tcp_packet(flags: int, expected: State) -> None:
    """A running connection is picked up from an ACK; an answer to nothing is invalid."""
    assert tracked(WrittenState(), replace(SYN, tcp_flags=flags)).state is expected


def test_picking_up_can_be_switched_off() -> None:
    """`nf_conntrack_tcp_loose`."""
    strict = WrittenState(settings={"net/netfilter/nf_conntrack_tcp_loose": "0"})

    assert tracked(strict, replace(SYN, tcp_flags=TCP_ACK)).state is State.INVALID


@pytest.mark.parametrize(("kind", "expected"), [(8, State.NEW), (0, State.INVALID), (3, State.INVALID)])
def test_the_first_icmp_packet(kind: int, expected: State) -> None:
    """Only questions open a connection."""
    first = Packet(
        source=ip_address("10.0.0.1"),
        destination=ip_address("10.0.0.2"),
        protocol=ICMP,
        icmp_type=kind,
        icmp_code=0,
        icmp_id=1,
    )

    assert tracked(WrittenState(), first).state is expected


def test_an_exempted_packet_stays_untracked() -> None:
    """NOTRACK in a raw chain comes first."""
    untracked = Connection(state=State.UNTRACKED, original=SYN.flow, reply=answer_flow(SYN.flow))

    assert tracked(WrittenState(), replace(SYN, connection=untracked)).state is State.UNTRACKED


def test_any_datagram_opens_a_connection() -> None:
    """UDP has no handshake."""
    assert tracked(WrittenState(), replace(SYN, protocol=UDP)).state is State.NEW
