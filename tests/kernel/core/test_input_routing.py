"""What a router does not take in or pass on: its own addresses from a wire, and sources that mean nothing elsewhere."""

import json
import socket
import time
from ipaddress import ip_address

import pytest
from kernel.core.router import at_once, here_of, kernel_answer, namespace, one_processor, socket_in
from kernel.iproute import IprouteState

from kubectl_packetpath.packet import TCP, UDP, Packet
from kubectl_packetpath.trace import Verdict
from kubectl_packetpath.walk.input_route import route_input
from testbed.netns import OWN, Namespace, succeed

pytestmark = pytest.mark.kernel
__all__ = ["namespace", "one_processor"]


def verdict_of(namespace: Namespace, packet: Packet) -> Verdict | None:
    """How the walk ends a packet that comes in by d0; None: it does not."""
    link = next(each for each in IprouteState(namespace.name).links() if each.name == "d0")
    (decision,) = route_input(here_of(namespace), packet, link)
    return None if decision.ending is None else decision.ending.verdict


@pytest.mark.parametrize(
    ("strictness", "accepted", "source"),
    [
        (1, 0, "10.0.0.1"),
        (1, 1, "10.0.0.1"),
        (1, 1, "10.0.1.1"),
        (2, 0, "10.0.1.1"),
        (2, 1, "10.0.1.1"),
        (0, 1, "10.0.1.1"),
    ],
)
def test_accept_local_and_the_reverse_path_filter(
    namespace: Namespace, strictness: int, accepted: int, source: str
) -> None:
    """A strict filter takes an address of this host only by the device that has it, whatever `accept_local` says."""
    namespace.sysctls({"net/ipv4/conf/d0/rp_filter": strictness, "net/ipv4/conf/d0/accept_local": accepted})
    packet = Packet(
        source=ip_address(source), destination=ip_address("10.0.1.9"), protocol=TCP, sport=5000, dport=80
    )

    answer = kernel_answer(namespace, packet, f"from {source} iif d0")

    lost = not accepted or (strictness == 1 and source == "10.0.1.1")
    assert verdict_of(namespace, packet) is (Verdict.DROPPED if lost else None)
    assert isinstance(answer, str) == lost, answer


def test_a_link_local_source_is_not_forwarded(namespace: Namespace) -> None:
    """Though there is a way: beyond the wire nobody could answer. The router counts a bad address."""
    ends = Namespace(name=f"{OWN}route-ends")
    at_once(ends)
    (router,) = json.loads(succeed([*namespace.enter, "ip", "-json", "link", "show", "d0"]))
    ends.ip(
        f"neigh add fd00::1 lladdr {router['address']} dev d0", "route add ::/0 via fd00::1 dev d0 onlink"
    )
    before = bad_addresses(namespace)

    with socket_in(ends, 6, socket.SOCK_DGRAM) as sender:
        sender.connect(("fd00:1::9", 80))
        sender.send(b"?")
        source = ip_address(sender.getsockname()[0].partition("%")[0])

    deadline = time.monotonic() + 10
    while bad_addresses(namespace) == before and time.monotonic() < deadline:
        time.sleep(0.02)
    packet = Packet(source=source, destination=ip_address("fd00:1::9"), protocol=UDP, sport=5000, dport=80)
    assert source.is_link_local
    assert bad_addresses(namespace) == before + 1
    assert verdict_of(namespace, packet) is Verdict.DROPPED


def bad_addresses(namespace: Namespace) -> int:
    """Packets whose addresses the namespace did not like."""
    text = succeed([*namespace.enter, "cat", "/proc/net/snmp6"])
    return int(dict(line.split() for line in text.splitlines())["Ip6InAddrErrors"])


@pytest.mark.parametrize(("version", "everywhere", "here"), [(4, 0, 0), (4, 1, 0), (6, 1, 0), (6, 0, 1)])
def test_routes_by_a_device_without_a_carrier(
    namespace: Namespace, version: int, everywhere: int, here: int
) -> None:
    """`ignore_routes_with_linkdown` of all devices holds for IPv4; IPv6 asks the very device."""
    target, gateway = {4: ("10.4.0.1", "10.0.%d.9"), 6: ("fd44::1", "fd00:%d::9")}[version]
    namespace.sysctls({f"net/ipv{version}/conf/all/ignore_routes_with_linkdown": everywhere})
    namespace.sysctls({f"net/ipv{version}/conf/d0/ignore_routes_with_linkdown": here})
    namespace.ip(
        f"route add {target} via {gateway % 0} metric 1", f"route add {target} via {gateway % 1} metric 2"
    )
    Namespace(name=f"{OWN}route-ends").ip("link set d0 down")
    source = gateway % 1
    packet = Packet(
        source=ip_address(source), destination=ip_address(target), protocol=TCP, sport=5000, dport=80
    )

    device = waited_for(namespace, packet, "d1" if here or (everywhere and version == 4) else "d0")

    link = next(each for each in IprouteState(namespace.name).links() if each.name == "d1")
    (decision,) = route_input(here_of(namespace), packet, link)
    assert decision.way is not None
    assert decision.way.device is not None
    assert decision.way.device.name == device


def waited_for(namespace: Namespace, packet: Packet, device: str) -> str:
    """The device that the kernel takes, once it has noticed that there is no carrier."""
    deadline = time.monotonic() + 10
    while True:
        (link,) = json.loads(succeed([*namespace.enter, "ip", "-json", "link", "show", "d0"]))
        answer = kernel_answer(namespace, packet, f"from {packet.source} iif d1")
        assert not isinstance(answer, str), answer
        if ("NO-CARRIER" in link["flags"] and answer["dev"] == device) or time.monotonic() > deadline:
            return str(answer["dev"])
        time.sleep(0.05)
