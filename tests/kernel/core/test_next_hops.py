"""Which of several next hops a packet takes: neighbours that do not answer, and sources that belong to one of them."""

import json
import os
from dataclasses import dataclass
from fractions import Fraction
from ipaddress import ip_address

import pytest
from kernel.core.router import here_of, kernel_answer, namespace, one_processor

from kubectl_packetpath.packet import UDP, Packet
from kubectl_packetpath.walk.release import SOURCE_CHOOSES_NEXT_HOP, has
from kubectl_packetpath.walk.routing import RouteQuery, fib_lookup
from testbed.netns import Namespace, succeed

pytestmark = pytest.mark.kernel
__all__ = ["namespace", "one_processor"]

TARGET = {4: "10.4.0.1", 6: "fd44::1"}
HOPS = {
    4: (("10.0.0.8", "d0"), ("10.0.1.9", "d1"), ("10.0.0.9", "d0")),
    6: (("fd00::8", "d0"), ("fd00:1::9", "d1"), ("fd00::9", "d0")),
}
PORTS = range(5000, 5040)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A route with three next hops, and what makes the kernel look at their neighbours, or not."""

    version: int
    group: bool
    forwarding: int = 1
    use_neigh: int = 0
    resilient: bool = False

    def set_up(self, namespace: Namespace) -> None:
        """Add the route."""
        namespace.sysctls(
            {
                "net/ipv4/fib_multipath_hash_policy": 1,
                "net/ipv6/fib_multipath_hash_policy": 1,
                "net/ipv4/fib_multipath_use_neigh": self.use_neigh,
                "net/ipv6/conf/all/forwarding": self.forwarding,
            }
        )
        hops = HOPS[self.version]
        line = f"ip -{self.version} -n {namespace.name} route add {TARGET[self.version]}"
        if self.group:
            for number, (gateway, device) in enumerate(hops, start=1):
                namespace.ip(f"nexthop add id {number} via {gateway} dev {device}")
            more = " type resilient buckets 24" if self.resilient else ""
            namespace.ip(f"nexthop add id 9 group 1/2/3{more}")
            succeed([*line.split(), "nhid", "9"])
        else:
            succeed([*line.split(), *" ".join(f"nexthop via {each[0]}" for each in hops).split()])


LOOKING = {
    "fib_multipath_use_neigh": Kind(version=4, group=False, use_neigh=1),
    "a group": Kind(version=4, group=True),
    "an IPv6 host": Kind(version=6, group=False, forwarding=0),
    "an IPv6 group": Kind(version=6, group=True),
}
NOT_LOOKING = {
    "IPv4": Kind(version=4, group=False),
    "a resilient group": Kind(version=4, group=True, resilient=True),
    "an IPv6 router": Kind(version=6, group=False),
}


def taken(namespace: Namespace, version: int, more: str = "") -> dict[int, str]:
    """The kernel's next hop of each source port."""
    words = f"route get {TARGET[version]} {more} ipproto udp dport 80 sport"
    command = ["ip", f"-{version}", "-n", namespace.name, "-json", "-batch", "-"]
    answers = succeed(command, stdin="".join(f"{words} {port}\n" for port in PORTS))
    rows = [json.loads(line)[0] for line in answers.splitlines() if line.startswith("[{")]
    return {port: row["gateway"] for port, row in zip(PORTS, rows, strict=True)}


def shares(namespace: Namespace, version: int, source: str = "") -> dict[str, Fraction]:
    """The walk's next hops."""
    query = RouteQuery(
        destination=ip_address(TARGET[version]),
        source=ip_address(source) if source else None,
        protocol=UDP,
        dport=80,
        source_chooses=has(os.uname().release, SOURCE_CHOOSES_NEXT_HOP),
    )
    ways = fib_lookup(here_of(namespace).state, query)
    return {str(way.gateway): way.weight for way in ways if way.weight is not None}


@pytest.mark.parametrize("name", LOOKING)
def test_the_range_of_a_neighbour_that_failed_falls_to_another(namespace: Namespace, name: str) -> None:
    """To the next one, or to the first: never a part to each."""
    kind = LOOKING[name]
    kind.set_up(namespace)
    before = taken(namespace, kind.version)
    told = []
    for gateway, device in HOPS[kind.version]:
        namespace.ip(f"neigh replace {gateway} dev {device} nud failed")
        after = taken(namespace, kind.version)
        heirs = {after[port] for port in PORTS if before[port] == gateway}
        told.append(
            (heirs, {each for each, part in shares(namespace, kind.version).items() if part > Fraction(1, 3)})
        )
        assert all(after[port] == before[port] for port in PORTS if before[port] != gateway)
        namespace.ip(f"neigh del {gateway} dev {device}")

    assert [len(heirs) for heirs, _ in told] == [1, 1, 1]
    assert all(heirs == walked for heirs, walked in told), told


@pytest.mark.parametrize("name", NOT_LOOKING)
def test_neighbours_that_failed_where_nobody_looks(namespace: Namespace, name: str) -> None:
    """Each next hop keeps its range."""
    kind = NOT_LOOKING[name]
    kind.set_up(namespace)
    before = taken(namespace, kind.version)
    (gateway, device), *_ = HOPS[kind.version]

    namespace.ip(f"neigh replace {gateway} dev {device} nud failed")

    assert taken(namespace, kind.version) == before
    assert shares(namespace, kind.version) == dict.fromkeys(
        (each for each, _ in HOPS[kind.version]), Fraction(1, 3)
    )


@pytest.mark.parametrize("group", [False, True])
def test_the_source_chooses_between_next_hops(namespace: Namespace, group: bool) -> None:
    """New kernels send by a next hop to which the source belongs, but for groups; of two such each keeps its hash."""
    kind = Kind(version=4, group=group)
    kind.set_up(namespace)
    chooses = has(os.uname().release, SOURCE_CHOOSES_NEXT_HOP) and not group

    for source, device in (("10.0.0.1", "d0"), ("10.0.1.1", "d1")):
        gateways = set(taken(namespace, 4, f"from {source}").values())

        assert gateways == set(shares(namespace, 4, source))
        assert gateways == {gateway for gateway, own in HOPS[4] if own == device or not chooses}


@pytest.mark.parametrize("forwarding", [0, 1])
def test_a_gateway_that_failed_is_passed_over_by_hosts(namespace: Namespace, forwarding: int) -> None:
    """IPv6: even for a shorter prefix; routers keep to it, and so do hosts that have no other."""
    namespace.sysctls({"net/ipv6/conf/all/forwarding": forwarding})
    namespace.ip("route add fd44::/64 via fd00::9", "route add ::/0 via fd00:1::9")
    packet = Packet(
        source=ip_address("::"), destination=ip_address(TARGET[6]), protocol=UDP, sport=5000, dport=80
    )

    for gateway, device, expected in (
        ("fd00::9", "d0", "fd00::9" if forwarding else "fd00:1::9"),
        ("fd00:1::9", "d1", "fd00::9"),
    ):
        namespace.ip(f"neigh replace {gateway} dev {device} nud failed")
        answer = kernel_answer(namespace, packet)

        assert not isinstance(answer, str)
        assert (answer["gateway"], shares(namespace, 6)) == (expected, {expected: Fraction(1)})
