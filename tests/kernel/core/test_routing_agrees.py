"""The walk's routing against sockets and `ip route get`, the kernel's own answers, for random tables, rules and packets."""

import errno
import os
import random
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface

import pytest
from kernel.core.router import (
    OWN_ADDRESSES,
    here_of,
    kernel_answer,
    namespace,
    one_processor,
    said,
    socket_in,
)
from kernel.iproute import IprouteState

from kubectl_packetpath.packet import TCP, UDP, Address, Packet
from kubectl_packetpath.trace import Verdict
from kubectl_packetpath.walk.input_route import Decision, route_input
from kubectl_packetpath.walk.output_route import OutputDecision, route_output
from kubectl_packetpath.walk.routing import Way
from testbed.netns import Namespace

pytestmark = pytest.mark.kernel
__all__ = ["namespace", "one_processor"]

QUESTIONS = 120
TYPES = ["unicast"] * 8 + ["blackhole", "unreachable", "prohibit", "throw"]
ERRORS = {
    errno.ENETUNREACH: {"none", "unreachable"},
    errno.EHOSTUNREACH: {"none", "unreachable"},
    errno.EACCES: {"prohibit"},
    errno.EINVAL: {"blackhole"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What differs between IPv4 and IPv6."""

    version: int
    own: tuple[str, str]
    gateways: tuple[str, str]
    pool: str
    bits: int
    step: int

    def address(self, chance: random.Random) -> str:
        """One of few addresses, so that routes are hit often."""
        return str(ip_address(self.pool) + self.step * chance.randrange(64) + chance.randrange(4))

    def prefix(self, chance: random.Random) -> str:
        """A prefix around those addresses."""
        length = chance.choice([0, self.bits - 22, self.bits - 20, self.bits - 18, self.bits - 16, self.bits])
        network = int(ip_address(self.address(chance))) >> (self.bits - length) << (self.bits - length)
        return f"{ip_address(network) if self.version == 4 else ip_address(network.to_bytes(16, 'big'))}/{length}"


FOUR = Family(
    version=4,
    own=OWN_ADDRESSES[4],
    gateways=("10.0.0.9", "10.0.1.9"),
    pool="10.4.0.0",
    bits=32,
    step=65536,
)
SIX = Family(
    version=6,
    own=OWN_ADDRESSES[6],
    gateways=("fd00:0::9", "fd00:1::9"),
    pool="fd44::",
    bits=128,
    step=65536,
)
OWN_NETWORKS = tuple(str(ip_interface(each).network) for each in SIX.own)
"""Where routes for some sources alone are for addresses of the router itself."""


@pytest.fixture(params=range(10))
def chance(request: pytest.FixtureRequest) -> random.Random:
    """A seeded source of randomness: every run asks the same."""
    return random.Random(request.param)


def tried(namespace: Namespace, line: str) -> None:
    """Run an `ip` command whose failure (a duplicate, say) does not matter."""
    subprocess.run(["ip", "-n", namespace.name, *line.split()], capture_output=True, check=False)


def random_routes(namespace: Namespace, family: Family, chance: random.Random) -> None:
    """Routes of all kinds in three tables."""
    flag = f"-{family.version}"
    tried(namespace, f"{flag} nexthop add id 1 via {family.gateways[0]} dev d0")
    tried(namespace, f"{flag} nexthop add id 2 via {family.gateways[1]} dev d1")
    tried(namespace, f"{flag} nexthop add id 3 group 1,3/2,1")
    tried(namespace, f"{flag} nexthop add id 4 blackhole")
    for _ in range(40):
        kind, table = chance.choice(TYPES), chance.choice([254, 100, 200])
        line = f"{flag} route add {kind} {family.prefix(chance)} table {table} metric {chance.choice([1, 50, 90])}"
        if family.version == 4 and chance.random() < 0.2:
            line += f" tos {chance.choice(['0x04', '0x10'])}"
        if family.version == 6 and chance.random() < 0.3:
            line += f" from {chance.choice([family.prefix(chance), *OWN_NETWORKS])}"
        if kind == "unicast":
            line += chance.choice(
                [
                    f" via {family.gateways[0]}",
                    f" via {family.gateways[1]}",
                    " dev d1",
                    f" nexthop via {family.gateways[0]} weight 3 nexthop via {family.gateways[1]} weight 1",
                    " nhid 3",
                    " nhid 1",
                    " nhid 4",
                    f" via {family.gateways[0]} src {family.own[1].split('/')[0]}",
                ]
            )
        tried(namespace, line)


def random_rules(namespace: Namespace, family: Family, chance: random.Random) -> None:
    """Policy rules with every selector that there is."""
    for place in range(8):
        selectors = chance.sample(
            [
                f"from {family.prefix(chance)}",
                f"to {family.prefix(chance)}",
                f"fwmark {chance.randrange(4):#x}/0x3",
                chance.choice(["iif d0", "iif d1", "iif lo"]),
                "ipproto tcp dport 80-90",
                "ipproto udp sport 5000",
                "uidrange 1000-1999",
                "tos 0x10",
            ],
            k=chance.choice([0, 1, 1, 1, 2]),
        )
        action = chance.choice(
            ["lookup 100", "lookup 200", "lookup 254", "prohibit", "unreachable", "blackhole", "goto 32766"]
            + ["lookup 254 suppress_prefixlength 0", "lookup 100 suppress_prefixlength 12"] * 2
        )
        if not selectors and action in {"prohibit", "unreachable", "blackhole", "goto 32766"}:
            action = "lookup 200"
        inverted = "not " if selectors and chance.random() < 0.2 else ""
        words = f"-{family.version} rule add pref {100 + place} {inverted}{' '.join(selectors)} {action}"
        tried(namespace, words)


def random_packet(family: Family, chance: random.Random) -> Packet:
    """A packet that some of the rules may want."""
    return Packet(
        source=ip_address("0.0.0.0" if family.version == 4 else "::"),
        destination=ip_address(family.address(chance)),
        protocol=chance.choice([TCP, UDP]),
        sport=chance.choice([5000, 6000]),
        dport=chance.choice([80, 443]),
        mark=chance.randrange(4),
        tos=chance.choice([0, 0, 0x10]),
        uid=chance.choice([0, 1500]),
    )


def source_chosen(namespace: Namespace, packet: Packet) -> str | int:
    """The source that the kernel gives to a socket that connects, or the error's number.

    `ip route get` asks once; a socket asks again from the source that it found, which may lead elsewhere.
    """
    kind = {TCP: socket.SOCK_STREAM, UDP: socket.SOCK_DGRAM}[packet.protocol]
    with socket_in(namespace, packet.family, kind) as asking:
        asking.setblocking(False)
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, packet.mark)
        if packet.tos:
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, packet.tos)
        os.fchown(asking.fileno(), packet.uid or 0, -1)
        asking.bind((str(packet.source), packet.sport or 0))
        result = asking.connect_ex((str(packet.destination), packet.dport or 0))
        if result not in {0, errno.EINPROGRESS}:
            return result
        return str(asking.getsockname()[0])


def connected(namespace: Namespace, packet: Packet) -> tuple[tuple[str, str, str], str] | int:
    """The way of a socket's packets, and its own address; or the number of the error that it got."""
    source = source_chosen(namespace, packet)
    if isinstance(source, int):
        return source
    first = kernel_answer(namespace, packet, f"uid {packet.uid}")
    if packet.family == 6 and not isinstance(first, str):
        return said(first), source
    answer = kernel_answer(namespace, packet, f"uid {packet.uid} from {source}")
    assert not isinstance(answer, str), (packet, source, answer)
    return (*said(answer)[:2], source), source


def are_shares(decisions: Sequence[OutputDecision | Decision]) -> bool:
    """Whether the walk says that chance, or what no dump shows, decides between them."""
    return all(each.weight is None or each.weight < 1 for each in decisions)


def described(way: Way | None, source: Address | None) -> tuple[str, str, str]:
    """A way as (device, gateway, source)."""
    device = way.device.name if way is not None and way.device is not None else ""
    return device, str(way.gateway) if way is not None and way.gateway else "", str(source or "")


@pytest.mark.parametrize("family", [FOUR, SIX], ids=["ipv4", "ipv6"])
def test_local_packets_take_the_way_that_the_kernel_takes(
    namespace: Namespace, chance: random.Random, family: Family
) -> None:
    """Device, gateway and chosen source agree for packets of local sockets."""
    random_routes(namespace, family, chance)
    random_rules(namespace, family, chance)
    here = here_of(namespace)
    differences = []
    for _ in range(QUESTIONS):
        packet = random_packet(family, chance)
        if family.version == 6:
            packet = Packet(
                source=packet.source,
                destination=packet.destination,
                protocol=packet.protocol,
                sport=packet.sport,
                dport=packet.dport,
                mark=packet.mark,
                uid=packet.uid,
            )
        answer = connected(namespace, packet)
        decisions = list(route_output(here, packet))
        if isinstance(answer, int):
            fitting = [bool(d.ending and d.way and d.way.type in ERRORS[answer]) for d in decisions]
            agrees = all(fitting) or (any(fitting) and are_shares(decisions))
        else:
            way, source = answer
            ways = {described(d.way, d.packet.source) for d in decisions if not d.ending}
            agrees = way in ways and source in {each[2] for each in ways}
        if not agrees:
            differences.append((str(packet), answer, [(d.way, d.packet.source) for d in decisions]))

    assert differences == []


@pytest.mark.parametrize("family", [FOUR, SIX], ids=["ipv4", "ipv6"])
def test_forwarded_packets_take_the_way_that_the_kernel_takes(
    namespace: Namespace, chance: random.Random, family: Family
) -> None:
    """Device and gateway agree for packets that come in by a device, reverse path filter included."""
    random_routes(namespace, family, chance)
    random_rules(namespace, family, chance)
    if family.version == 4:
        for name in ("d0", "d1"):
            namespace.sysctls({f"net/ipv4/conf/{name}/rp_filter": chance.randrange(3)})
            namespace.sysctls({f"net/ipv4/conf/{name}/src_valid_mark": chance.randrange(2)})
    here = here_of(namespace)
    links = {link.name: link for link in IprouteState(namespace.name).links()}
    differences = []
    for _ in range(QUESTIONS):
        packet, name = random_packet(family, chance), chance.choice(["d0", "d1"])
        source = chance.choice([family.address(chance), family.gateways[0], family.own[1].split("/")[0]])
        packet = Packet(
            source=ip_address(source),
            destination=packet.destination,
            protocol=packet.protocol,
            sport=packet.sport,
            dport=packet.dport,
            mark=packet.mark,
            tos=packet.tos if family.version == 4 else 0,
        )
        answer = kernel_answer(namespace, packet, f"from {source} iif {name}")
        decisions = list(route_input(here, packet, links[name]))
        if isinstance(answer, str):
            crossed = answer == "Invalid cross-device link"
            ends = [d.ending.verdict if d.ending else None for d in decisions]
            fitting = [end is Verdict.DROPPED if crossed else end is not None for end in ends]
            agrees = all(fitting) or (any(fitting) and are_shares(decisions))
        else:
            ways = {described(d.way, None) for d in decisions if d.ending is None}
            agrees = said(answer)[:2] in {each[:2] for each in ways}
        if not agrees:
            differences.append((str(packet), name, answer, [(d.way, d.ending) for d in decisions]))

    assert differences == []
