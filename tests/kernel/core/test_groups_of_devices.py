"""Rules that refuse routes by the group of their device (`suppress_ifgroup`)."""

import json
from fractions import Fraction
from ipaddress import ip_address

import pytest
from kernel.core.router import here_of, namespace, one_processor

from kubectl_packetpath.packet import UDP
from kubectl_packetpath.walk.routing import RouteQuery, fib_lookup
from testbed.netns import Namespace, succeed

pytestmark = pytest.mark.kernel
__all__ = ["namespace", "one_processor"]

TARGET, GATEWAYS = {4: "10.4.0.1", 6: "fd44::1"}, {4: "10.0.{}.9", 6: "fd00:{}::9"}
LATER = {4: "10.0.1.8", 6: "fd00:1::8"}
"""Where the next rule's table leads."""


def refusing(namespace: Namespace, version: int, group: int, *route: str) -> set[str]:
    """Make the rule and the route, and ask the kernel for the gateways of many flows."""
    ip = ["ip", f"-{version}", "-n", namespace.name]
    namespace.ip("link set dev d1 group 7")
    namespace.sysctls({f"net/ipv{version}/fib_multipath_hash_policy": 1})
    succeed([*ip, *f"route add {TARGET[version]}".split(), *route])
    succeed([*ip, *f"route add default via {LATER[version]} table 100".split()])
    succeed([*ip, *f"rule add pref 100 lookup main suppress_ifgroup {group}".split()])
    succeed([*ip, *["rule", "add", "pref", "101", "lookup", "100"]])
    words = f"route get {TARGET[version]} ipproto udp dport 80 sport"
    answers = succeed(
        [*ip, "-json", "-batch", "-"], stdin="".join(f"{words} {port}\n" for port in range(5000, 5040))
    )
    return {json.loads(line)[0]["gateway"] for line in answers.splitlines() if line.startswith("[{")}


def walked(namespace: Namespace, version: int) -> dict[str, Fraction | None]:
    """The walk's gateways and their shares."""
    query = RouteQuery(destination=ip_address(TARGET[version]), protocol=UDP, dport=80)
    return {str(way.gateway): way.weight for way in fib_lookup(here_of(namespace).state, query)}


@pytest.mark.parametrize(("version", "group"), [(4, 7), (6, 7), (6, 0)])
def test_the_group_of_its_device_refuses_a_route(namespace: Namespace, version: int, group: int) -> None:
    """As if the table had none."""
    gateway = GATEWAYS[version].format(1)

    found = refusing(namespace, version, group, "via", gateway)

    assert found == {LATER[version] if group == 7 else gateway}
    assert walked(namespace, version) == {found.pop(): Fraction(1)}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("group", [0, 7])
def test_of_several_next_hops(namespace: Namespace, version: int, group: int) -> None:
    """IPv4 asks for the group of the first alone, IPv6 for that of the one that the flow takes."""
    hops = [str(ip_address(GATEWAYS[version].format(number))) for number in (0, 1)]

    found = refusing(namespace, version, group, *f"nexthop via {hops[0]} nexthop via {hops[1]}".split())

    told = walked(namespace, version)
    assert found == set(told)
    assert sum(share or 0 for share in told.values()) == 1
    if version == 4:
        assert found == (set(hops) if group == 7 else {LATER[4]})
    else:
        assert found == {hops[0 if group == 7 else 1], LATER[6]}
