"""Which of its addresses IPv6 sends from, beside what a socket that connects is told."""

import socket
from ipaddress import ip_address, ip_network

import pytest
from kernel.core.router import at_once, here_of, namespace, one_processor, socket_in

from kubectl_packetpath.packet import UDP, Packet
from kubectl_packetpath.walk.output_route import route_output
from testbed.netns import Namespace

pytestmark = pytest.mark.kernel
__all__ = ["namespace", "one_processor"]


def told(namespace: Namespace, destination: str) -> str:
    """By the kernel."""
    with socket_in(namespace, 6, socket.SOCK_DGRAM) as asking:
        asking.connect((destination, 80))
        return str(asking.getsockname()[0]).partition("%")[0]


def walked(namespace: Namespace, destination: str) -> str:
    """By the walk."""
    packet = Packet(
        source=ip_address("::"), destination=ip_address(destination), protocol=UDP, sport=5000, dport=80
    )
    (decision,) = route_output(here_of(namespace), packet)
    return str(decision.packet.source)


def test_a_local_route_does_not_make_its_addresses_sources(namespace: Namespace) -> None:
    """What a whole network of addresses is routed to (`local fd99::/64`) is no address of a device."""
    namespace.ip("link set lo up", "addr add fd98::9/128 dev lo", "route add local fd99::/64 dev lo")

    found = told(namespace, "fd99::5")

    assert walked(namespace, "fd99::5") == found == "fd98::9"
    assert walked(namespace, "fd98::9") == told(namespace, "fd98::9") == "fd98::9"


@pytest.mark.parametrize("only", [0, 1])
def test_use_oif_addrs_only(namespace: Namespace, only: int) -> None:
    """Addresses of other devices are none then, and what is left is good for the wire alone."""
    at_once(namespace)
    namespace.ip("route add fd44::/64 dev d0")
    namespace.sysctls({"net/ipv6/conf/d0/use_oif_addrs_only": only})

    found = ip_address(told(namespace, "fd44::1"))

    assert walked(namespace, "fd44::1") == str(found)
    assert found.is_link_local == bool(only)


@pytest.mark.parametrize("wish", [1, 2])
def test_temporary_addresses(namespace: Namespace, wish: int) -> None:
    """The device has them from 1 on, and prefers them from 2 on."""
    at_once(namespace)
    namespace.sysctls({"net/ipv6/conf/d0/use_tempaddr": wish})
    namespace.ip("addr add fd07::7/64 dev d0 nodad mngtmpaddr", "route add fd44::/64 dev d0")

    found = told(namespace, "fd44::1")

    assert walked(namespace, "fd44::1") == found
    assert (found == "fd07::7") == (wish == 1)
    assert ip_address(found) in ip_network("fd07::/64")


def test_addresses_of_a_device_that_is_down(namespace: Namespace) -> None:
    """They count where nobody has to be asked whether they are unique: on kube-ipvs0, which is never up."""
    namespace.ip(
        "link set lo up",
        "link add kube-ipvs0 type bridge",
        "link set kube-ipvs0 arp off",
        "addr add fd96::1/128 dev kube-ipvs0",
    )

    assert walked(namespace, "fd96::1") == told(namespace, "fd96::1") == "fd96::1"
