"""Which socket takes a packet."""

from ipaddress import ip_address

import pytest
from unit.walk.states import WrittenState, device, here, packet

from kubectl_packetpath.packet import TCP, UDP, Packet
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.sockets import Socket
from kubectl_packetpath.trace import Ending, Verdict
from kubectl_packetpath.walk.delivery import deliver
from kubectl_packetpath.walk.here import Hook, go_on

ETH0, ETH1 = device(2, "eth0"), device(3, "eth1")


def listener(address: str, port: int = 80, protocol: int = TCP, **more: object) -> Socket:
    """A listening socket."""
    bound = ip_address(address)
    return Socket(family=bound.version, protocol=protocol, address=bound, port=port, state=10, **more)  # type: ignore[arg-type]


def end_of(given: Packet, *sockets: Socket) -> Ending:
    """How it ends where these sockets are."""
    place = here(WrittenState(listening=sockets), Hook.INPUT, in_device=ETH0)
    ending = deliver(place, go_on(given, None)).ending
    assert ending is not None
    return ending


@pytest.mark.parametrize(
    ("socket", "expected"),
    [
        (listener("0.0.0.0"), Verdict.DELIVERED),
        (listener("10.0.0.2"), Verdict.DELIVERED),
        (listener("127.0.0.1"), Verdict.REFUSED),
        (listener("::"), Verdict.DELIVERED),
        (listener("::", v6only=True), Verdict.REFUSED),
        (listener("::ffff:10.0.0.2"), Verdict.DELIVERED),
        (listener("0.0.0.0", port=81), Verdict.REFUSED),
        (listener("0.0.0.0", protocol=UDP), Verdict.REFUSED),
        (listener("0.0.0.0", device=2), Verdict.DELIVERED),
        (listener("0.0.0.0", device=3), Verdict.REFUSED),
    ],
)
def test_a_socket_takes_what_fits_it(socket: Socket, expected: Verdict) -> None:
    """Address, port, protocol, family and device."""
    assert end_of(packet("10.0.0.1:40000 10.0.0.2:80"), socket).verdict is expected


@pytest.mark.parametrize(
    ("client", "expected"), [("10.0.0.1", Verdict.DELIVERED), ("10.0.0.7", Verdict.REFUSED)]
)
def test_a_connected_datagram_socket_takes_its_peer_only(client: str, expected: Verdict) -> None:
    """A client that asks from elsewhere is refused."""
    connected = listener("0.0.0.0", protocol=UDP, remote=ip_address("10.0.0.1"), remote_port=40000)

    assert end_of(packet(f"{client}:40000 10.0.0.2:80", protocol=UDP), connected).verdict is expected


def test_unreadable_sockets_are_unknown() -> None:
    """Not a refusal."""
    state = WrittenState(listening=Absent(why=Why.NOT_PERMITTED))

    outcome = deliver(here(state, Hook.INPUT), go_on(packet("10.0.0.1:40000 10.0.0.2:80"), None))

    assert outcome.ending is not None
    assert outcome.ending.verdict is Verdict.UNKNOWN


def test_the_asking_socket_takes_the_answer() -> None:
    """It is no listener, and yet it is there."""
    asked = packet("10.0.0.2:40000 10.96.0.1:80")
    place = here(WrittenState(), Hook.INPUT, in_device=ETH0)

    outcome = deliver(place, go_on(packet("10.96.0.1:80 10.0.0.2:40000"), None), (asked.flow,))

    assert outcome.ending is not None
    assert outcome.ending.verdict is Verdict.DELIVERED
