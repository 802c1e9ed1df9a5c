"""In whose name a host asks who has an address, and who does not heed that."""

from ipaddress import ip_address
from typing import cast

import pytest
from unit.walk.states import LO, WrittenState, device, owned, route

from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.walk.asking import Asker, unheeded
from kubectl_packetpath.walk.segment import Station

ETH0, ETH1 = device(2, "eth0"), device(3, "eth1")


def asker(source: str, announce: int = 0) -> Asker:
    """A host with two devices, of which the second is asked by."""
    state = WrittenState(
        devices=(LO, ETH0, ETH1),
        owned=(owned(2, "192.0.2.10/24"), owned(3, "10.0.0.20/20")),
        ways=(route("local 192.0.2.10/32 dev 2"), route("local 10.0.0.20/32 dev 3")),
        settings={"net/ipv4/conf/eth1/arp_announce": str(announce)},
    )
    return Asker(state=cast(NamespaceState, state), device=ETH1, source=ip_address(source))


def station(**settings: str) -> Station:
    """A router that reaches 10.0.0.0/20 by the device on which it is asked, and the rest by another one."""
    state = WrittenState(
        devices=(LO, ETH0, ETH1),
        owned=(owned(3, "10.0.0.1/32"),),
        ways=(
            route("local 10.0.0.1/32 dev 3"),
            route("10.0.0.0/20 dev 3"),
            route("default via 198.51.100.1 dev 2"),
        ),
        settings={f"net/ipv4/conf/eth1/{name}": value for name, value in settings.items()},
    )
    return Station(state=cast(NamespaceState, state), link=ETH1)


@pytest.mark.parametrize(
    ("source", "announce", "name"),
    [
        ("192.0.2.10", 0, "192.0.2.10"),
        ("192.0.2.10", 1, "10.0.0.20"),
        ("10.0.0.20", 1, "10.0.0.20"),
        ("192.0.2.10", 2, "10.0.0.20"),
        ("203.0.113.5", 0, "10.0.0.20"),
    ],
)
def test_in_whose_name(source: str, announce: int, name: str) -> None:
    """The packet's own source if it is the host's, unless arp_announce wants one that fits the device."""
    assert asker(source, announce).name(ip_address("10.0.0.1")) == ip_address(name)


def test_a_strict_filter_does_not_heed_a_foreign_name() -> None:
    """The way back to it goes by another device."""
    why = unheeded("node-a", asker("192.0.2.10"), station(rp_filter="1"), ip_address("10.0.0.1"))

    assert why is not None
    assert why.ending is not None
    assert "net.ipv4.conf.eth1.rp_filter = 1" in [fact.text for fact in why.because]


@pytest.mark.parametrize(("source", "rp_filter"), [("192.0.2.10", "0"), ("203.0.113.5", "1")])
def test_who_is_heeded(source: str, rp_filter: str) -> None:
    """Anybody where nothing is filtered, and whoever asks in a name that fits."""
    wanted = ip_address("10.0.0.1")

    assert unheeded("node-a", asker(source), station(rp_filter=rp_filter), wanted) is None
