"""Virtual servers: how a packet finds one, and what becomes of it and of its connection."""

from fractions import Fraction
from ipaddress import ip_address

from unit.walk.states import LO, WrittenState, device, here, owned, packet, route

from kubectl_packetpath.packet import TCP, TCP_ACK, Connection, State
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.ipvs import RealServer, VirtualServer
from kubectl_packetpath.trace import Outcome, Verdict
from kubectl_packetpath.walk.conntrack import answer_flow
from kubectl_packetpath.walk.here import Hook
from kubectl_packetpath.walk.ipvs import functions
from kubectl_packetpath.walk.ipvs_services import find_service
from kubectl_packetpath.walk.order import SENT_ON

ONE = RealServer(address=ip_address("10.1.0.2"), port=8080, weight=3)
TWO = RealServer(address=ip_address("10.1.0.3"), port=8080, weight=1)
SYN = packet("10.9.0.1:40000 10.96.0.1:80")


def service(*servers: RealServer, **more: object) -> VirtualServer:
    """A virtual server at 10.96.0.1:80."""
    values: dict[str, object] = {"protocol": TCP, "address": SYN.destination, "port": 80, "scheduler": "wrr"}
    return VirtualServer(**{**values, **more}, servers=servers)  # type: ignore[arg-type]


def state(*services: VirtualServer, lines: tuple[bytes, ...] = (), **settings: str) -> WrittenState:
    """A namespace with an address, a way to the servers, and these virtual servers."""
    return WrittenState(
        devices=(LO, device(2, "eth0")),
        owned=(owned(2, "10.1.0.1/24"),),
        ways=(route("local 10.1.0.1 dev 2"), route("10.1.0.0/24 dev 2")),
        virtual=services,
        balanced=lines,
        settings={f"net/ipv4/vs/{name}": value for name, value in settings.items()},
    )


def asked(written: WrittenState, hook: Hook = Hook.INPUT, **more: object) -> list[Outcome]:
    """What the function for requests makes of the packet."""
    connection = Connection(state=State.NEW, original=SYN.flow, reply=answer_flow(SYN.flow))
    first = packet("10.9.0.1:40000 10.96.0.1:80", **{"connection": connection, **more})
    place = here(written, hook)
    request = list(functions(place, first))[-1]
    return list(request.run(place, first, None))


def test_each_server_gets_its_share_and_the_packet_is_sent_on() -> None:
    """The destination changes, and the function takes the packet out of the hook."""
    outcomes = asked(state(service(ONE, TWO), conntrack="1"))

    assert [(str(o.packet.destination), o.weight) for o in outcomes] == [
        ("10.1.0.2", Fraction(3, 4)),
        ("10.1.0.3", Fraction(1, 4)),
    ]
    assert {outcome.verdict for outcome in outcomes} == {SENT_ON}


def test_the_connection_expects_the_server_without_a_nat_of_its_own() -> None:
    """Its answers will come from the server; NAT does not repeat what IPVS did."""
    (outcome,) = asked(state(service(ONE), conntrack="1"))
    connection = outcome.packet.connection

    assert connection is not None
    assert (str(connection.reply.source), connection.reply.sport) == ("10.1.0.2", 8080)
    assert not connection.destination_changed


def test_without_the_switch_the_connection_is_not_tracked() -> None:
    """So no rule behind can masquerade it."""
    (outcome,) = asked(state(service(ONE), conntrack="0"))

    assert outcome.packet.connection is not None
    assert outcome.packet.connection.state is State.UNTRACKED


def test_a_server_of_this_namespace_takes_the_packet_where_it_is() -> None:
    """Nothing is sent on: the hook's later functions see it."""
    local = RealServer(address=ip_address("10.1.0.1"), port=8080, weight=1)
    (outcome,) = asked(state(service(local)))

    assert (str(outcome.packet.destination), outcome.verdict) == ("10.1.0.1", "accept")


def test_nobody_takes_new_connections() -> None:
    """The kernel answers with port unreachable."""
    quiesced = RealServer(address=ONE.address, port=8080, weight=0)
    (outcome,) = asked(state(service(quiesced)))

    assert outcome.ending is not None
    assert outcome.ending.verdict is Verdict.NO_BACKEND


def test_loopback_is_not_sent_out() -> None:
    """A node port at 127.0.0.1 does not work in IPVS mode."""
    (outcome,) = asked(state(service(ONE)), Hook.OUTPUT, source=ip_address("127.0.0.1"))

    assert outcome.ending is not None
    assert outcome.ending.verdict is Verdict.DROPPED


def test_a_packet_in_the_middle_of_nowhere_is_left_alone() -> None:
    """Only a SYN opens a TCP connection."""
    (outcome,) = asked(state(service(ONE)), tcp_flags=TCP_ACK)

    assert outcome.packet.balanced is None


def test_a_forwarding_that_is_not_modelled_is_unknown() -> None:
    """It ends there and names the place."""
    tunnel = RealServer(address=ONE.address, port=80, weight=1, forwarding="tunnel")
    (outcome,) = asked(state(service(tunnel)))

    assert outcome.ending is not None
    assert (outcome.ending.verdict, outcome.weight) == (Verdict.UNKNOWN, None)


TEMPLATE = b"TCP 0A090001 0000 0A600001 0050 0A010003 1F90 NONE            100\n"


def test_a_template_pins_the_client() -> None:
    """All new connections go where the first one went."""
    outcomes = asked(state(service(ONE, TWO, flags=1), lines=(TEMPLATE,)))

    assert [(str(o.packet.destination), o.weight) for o in outcomes] == [("10.1.0.3", Fraction(1))]


def test_a_template_of_a_server_that_is_gone_does_not_hold() -> None:
    """The client gets another one."""
    outcomes = asked(state(service(ONE, flags=1), lines=(TEMPLATE,)))

    assert [str(outcome.packet.destination) for outcome in outcomes] == ["10.1.0.2"]


def test_a_mark_is_looked_up_first() -> None:
    """Then address and port, then the address for all ports."""
    marked = VirtualServer(protocol=None, address=None, port=None, firewall_mark=7, scheduler="rr")
    every = service(ONE, port=0)

    assert find_service((service(ONE), marked), packet("10.9.0.1:1 10.96.0.1:80", mark=7)) == marked
    assert find_service((every, service(ONE)), SYN) == service(ONE)
    assert find_service((every, service(ONE)), packet("10.9.0.1:1 10.96.0.1:81")) == every
    assert find_service((every,), packet("10.9.0.1:1 10.96.0.2:80")) is None


def test_virtual_servers_that_could_not_be_read_are_a_doubt() -> None:
    """The packet goes on, but nothing is certain any more."""
    written = state(service(ONE))
    written.virtual = Absent(why=Why.NOT_PERMITTED, detail="not permitted")
    (outcome,) = asked(written)

    assert (outcome.weight, outcome.ending) == (None, None)
