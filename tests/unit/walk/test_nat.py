"""Mappings: what a NAT rule makes of a packet and its connection."""

from fractions import Fraction
from ipaddress import ip_address

import pytest
from unit.walk.states import LO, WrittenState, device, here, owned, packet, route

from kubectl_packetpath.packet import ICMP, Connection, Packet, State
from kubectl_packetpath.trace import Outcome, Verdict
from kubectl_packetpath.walk.conntrack import answer_flow
from kubectl_packetpath.walk.here import Here, Hook
from kubectl_packetpath.walk.nat import Manipulation, NatRange, repeat, rewrite

ETH0 = device(2, "eth0")
STATE = WrittenState(
    devices=(LO, ETH0),
    owned=(owned(2, "10.0.0.1/24"), owned(2, "192.0.2.1/24"), owned(2, "10.0.0.5/24", flags=1)),
    ways=(route("default via 192.0.2.9 dev 2"), route("10.0.0.0/24 dev 2")),
)
OUT = here(STATE, Hook.POSTROUTING, out_device=ETH0)
IN = here(STATE, Hook.PREROUTING, in_device=ETH0)


def new(text: str) -> Packet:
    """The first packet of a connection."""
    first = packet(text)
    connection = Connection(state=State.NEW, original=first.flow, reply=answer_flow(first.flow))
    return packet(text, connection=connection)


def mapped(place: Here, first: Packet, manipulation: Manipulation, **wish: object) -> list[Outcome]:
    """All outcomes of a wish."""
    return list(rewrite(place, first, None, (manipulation, NatRange(**wish)), ()))  # type: ignore[arg-type]


def one(address: str) -> tuple[object, object]:
    """A range of a single address."""
    return ip_address(address), ip_address(address)


def test_dnat_changes_the_destination_and_what_an_answer_will_look_like() -> None:
    """The reply tuple carries the endpoint."""
    (outcome,) = mapped(
        IN,
        new("10.9.0.1:40000 10.96.0.1:80"),
        Manipulation.DESTINATION,
        addresses=one("10.1.0.3"),
        ports=(8080, 8080),
    )

    connection = outcome.packet.connection
    assert str(outcome.packet) == "tcp 10.9.0.1:40000 > 10.1.0.3:8080"
    assert connection is not None
    assert (connection.dnat_done, connection.destination_changed, connection.source_changed) == (
        True,
        True,
        False,
    )
    assert (str(connection.reply.source), connection.reply.sport) == ("10.1.0.3", 8080)


def test_a_range_of_addresses_forks_evenly() -> None:
    """The kernel hashes the ends of the connection."""
    addresses = (ip_address("10.1.0.3"), ip_address("10.1.0.6"))

    outcomes = mapped(IN, new("10.9.0.1:40000 10.96.0.1:80"), Manipulation.DESTINATION, addresses=addresses)

    assert [outcome.weight for outcome in outcomes] == [Fraction(1, 4)] * 4


@pytest.mark.parametrize(
    ("destination", "expected"), [("10.0.0.77", "10.0.0.1"), ("198.51.100.1", "192.0.2.1")]
)
def test_masquerading_takes_the_address_in_the_next_hops_network(destination: str, expected: str) -> None:
    """The gateway counts, not the destination behind it."""
    (outcome,) = mapped(OUT, new(f"10.9.0.1:40000 {destination}:80"), Manipulation.SOURCE, masquerade=True)

    assert str(outcome.packet.source) == expected


def test_masquerading_by_a_device_without_an_address_drops() -> None:
    """There is nothing to put in as the source."""
    bare = WrittenState(devices=(ETH0,), ways=(route("default dev 2"),))
    place = here(bare, Hook.POSTROUTING, out_device=ETH0)

    (outcome,) = mapped(place, new("10.9.0.1:40000 10.96.0.1:80"), Manipulation.SOURCE, masquerade=True)

    assert outcome.ending is not None
    assert outcome.ending.verdict is Verdict.DROPPED


@pytest.mark.parametrize("shuffle", ["random", "fully_random"])
def test_a_shuffled_port_is_nothing_to_rely_on(shuffle: str) -> None:
    """The number stays as a stand-in, and says so."""
    (outcome,) = mapped(
        OUT, new("10.9.0.1:40000 10.0.0.77:80"), Manipulation.SOURCE, masquerade=True, **{shuffle: True}
    )

    assert outcome.packet.sport_chosen


def test_netmap_keeps_the_host_part() -> None:
    """One network is laid over another."""
    addresses = (ip_address("10.7.0.0"), ip_address("10.7.0.255"))

    (outcome,) = mapped(
        IN, new("10.9.0.1:40000 10.96.0.33:80"), Manipulation.DESTINATION, addresses=addresses, netmap=True
    )

    assert str(outcome.packet.destination) == "10.7.0.33"


def test_port_shifting() -> None:
    """`--to-destination 10.1.0.3:5000-5010/8000` maps 8003 to 5003."""
    (outcome,) = mapped(
        IN,
        new("10.9.0.1:40000 10.96.0.1:8003"),
        Manipulation.DESTINATION,
        addresses=one("10.1.0.3"),
        ports=(5000, 5010),
        port_base=8000,
    )

    assert outcome.packet.dport == 5003


@pytest.mark.parametrize(("hook", "expected"), [(Hook.OUTPUT, "127.0.0.1"), (Hook.PREROUTING, "10.0.0.1")])
def test_a_redirect_leads_here(hook: Hook, expected: str) -> None:
    """To loopback for a local packet, else to the first address of the device."""
    place = here(STATE, hook, in_device=ETH0 if hook is Hook.PREROUTING else None)

    (outcome,) = mapped(
        place, new("10.9.0.1:40000 10.96.0.1:80"), Manipulation.DESTINATION, redirect=True, ports=(3128, 3128)
    )

    assert (str(outcome.packet.destination), outcome.packet.dport) == (expected, 3128)


def test_an_answer_is_translated_back() -> None:
    """Destination first, where it comes in; source last, where it leaves."""
    (dnat,) = mapped(
        IN,
        new("10.9.0.1:40000 10.96.0.1:80"),
        Manipulation.DESTINATION,
        addresses=one("10.0.0.77"),
        ports=(8080, 8080),
    )
    (snat,) = mapped(OUT, dnat.packet, Manipulation.SOURCE, masquerade=True)
    connection = snat.packet.connection
    assert connection is not None
    reply = Connection(
        state=State.ESTABLISHED,
        original=connection.original,
        reply=connection.reply,
        is_reply=True,
        confirmed=True,
    )

    answer = packet("10.0.0.77:8080 10.0.0.1:40000", connection=reply)
    first = repeat(IN, answer, None, Manipulation.DESTINATION)
    last = repeat(OUT, first.packet, None, Manipulation.SOURCE)

    assert str(last.packet) == "tcp 10.96.0.1:80 > 10.9.0.1:40000"


def test_an_echo_answer_keeps_the_id() -> None:
    """ICMP has no ports to swap."""
    echo = Packet(
        source=ip_address("10.0.0.1"),
        destination=ip_address("10.0.0.2"),
        protocol=ICMP,
        icmp_type=8,
        icmp_code=0,
        icmp_id=7,
    )

    flow = answer_flow(echo.flow)

    assert (flow.sport, flow.dport) == (7, 0)
