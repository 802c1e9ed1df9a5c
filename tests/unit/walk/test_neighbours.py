"""The next hop's link address."""

from ipaddress import ip_address
from typing import cast

import pytest
from unit.walk.states import LO, WrittenNode, WrittenState, device, owned, route

from kubectl_packetpath.snapshot.routing import NUD_FAILED, NUD_PERMANENT, NUD_STALE, Neighbour
from kubectl_packetpath.snapshot.state import NamespaceState, NodeState
from kubectl_packetpath.walk.neighbours import Resolution, resolve

VETH = device(5, "veth1", kind="veth", link=6)
POD_SIDE = device(6, "pod", kind="veth", link=5, mac="02:aa:00:00:00:06")
UPLINK = device(2, "eth0")


def resolved(link: str, address: str, *known: Neighbour, **settings: str) -> Resolution:
    """What a namespace with an uplink and a veth pair of its own finds out."""
    state = WrittenState(
        devices=(LO, UPLINK, VETH, POD_SIDE),
        owned=(owned(6, "10.1.0.3/24"),),
        ways=(route("local 10.1.0.3/32 dev 6"), route("10.7.0.0/16 dev 2")),
        known=known,
        settings={f"net/ipv4/conf/pod/{name}": value for name, value in settings.items()},
    )
    node = WrittenNode(states=(state,))
    chosen = next(each for each in state.devices if each.name == link)
    source = ip_address("10.1.0.1")
    return resolve(cast(NodeState, node), cast(NamespaceState, state), chosen, ip_address(address), source)


def entry(address: str, state: int, mac: str = "", link: int = 5) -> Neighbour:
    """An entry of the neighbour table."""
    return Neighbour(link=link, address=ip_address(address), state=state, mac=mac)


def test_whoever_is_there_answers() -> None:
    """No entry is needed: it would be made on demand."""
    assert resolved("veth1", "10.1.0.3").mac == "02:aa:00:00:00:06"


def test_a_failed_entry_is_asked_again() -> None:
    """Somebody has come since."""
    assert resolved("veth1", "10.1.0.3", entry("10.1.0.3", NUD_FAILED)).mac == "02:aa:00:00:00:06"


def test_nobody_is_there() -> None:
    """The other end of the veth does not have the address."""
    assert not resolved("veth1", "10.1.0.4").reached


def test_a_permanent_entry_is_believed_even_where_it_is_wrong() -> None:
    """The kernel asks nobody then."""
    found = resolved("veth1", "10.1.0.3", entry("10.1.0.3", NUD_PERMANENT, "02:dd:00:00:00:01"))

    assert found.mac == "02:dd:00:00:00:01"
    assert found.because[0].text == "10.1.0.3 dev veth1 lladdr 02:dd:00:00:00:01 PERMANENT"


def test_out_of_sight_is_not_out_of_reach() -> None:
    """Behind the uplink somebody may answer."""
    assert resolved("eth0", "10.7.0.9") == Resolution(seen=False)


def test_a_known_neighbour_out_of_sight() -> None:
    """A stale entry is still used."""
    found = resolved("eth0", "10.7.0.9", entry("10.7.0.9", NUD_STALE, "02:ee:00:00:00:01", link=2))

    assert (found.mac, found.reached) == ("02:ee:00:00:00:01", True)


@pytest.mark.parametrize(
    ("settings", "address", "expected"),
    [
        ({}, "10.7.0.9", False),
        ({"proxy_arp": "1", "forwarding": "1"}, "10.7.0.9", True),
        ({"proxy_arp": "1", "forwarding": "0"}, "10.7.0.9", False),
        ({"arp_ignore": "1"}, "10.1.0.3", True),
        ({"arp_ignore": "8"}, "10.1.0.3", False),
    ],
)
def test_settings_of_the_one_who_is_asked(settings: dict[str, str], address: str, expected: bool) -> None:
    """Proxy ARP answers for others, and arp_ignore keeps silent."""
    assert resolved("veth1", address, **settings).reached is expected
