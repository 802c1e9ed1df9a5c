"""Who answers the question who has an address: settings of the one who is asked, proxies, and what the question bears."""

import json
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

import pytest
from kernel.core.router import socket_in
from kernel.lab import Lab, lab, predicted, question, walk

from kubectl_packetpath.trace import Verdict
from testbed.netns import succeed

pytestmark = pytest.mark.kernel

ROUTER, DEVICE = {"forwarding": 1}, "eth0"
OTHERWISE = {
    4: ("arp_ignore", "arp_filter", "forwarding", "proxy_arp", "proxy_arp_pvlan"),
    6: ("forwarding", "proxy_ndp"),
}
"""Settings that are 0 where a case does not say otherwise."""
IMPATIENT = {"mcast_solicit": 1, "ucast_solicit": 1, "retrans_time_ms": 60}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Who asks for what, how the other end is set, and whether it answers."""

    wanted: str
    answers: bool
    settings: Mapping[str, int] = field(default_factory=dict)
    asks_as: str = ""

    @property
    def version(self) -> int:
        """Of IP."""
        return ip_address(self.wanted).version


BESIDE, BEHIND, NOWHERE, ON_THE_WIRE = "10.6.0.4", "10.6.0.1", "10.9.9.1", "10.6.0.3"
CASES = {
    "an address of another device": Case(wanted="10.8.0.8", answers=True),
    "not so by arp_ignore 1": Case(wanted="10.8.0.8", answers=False, settings={"arp_ignore": 1}),
    "its own by arp_ignore 1": Case(wanted="10.0.0.2", answers=True, settings={"arp_ignore": 1}),
    "arp_ignore 2, from its network": Case(wanted="10.0.0.2", answers=True, settings={"arp_ignore": 2}),
    "arp_ignore 2, from elsewhere": Case(
        wanted="10.0.0.2", answers=False, settings={"arp_ignore": 2}, asks_as="10.0.77.1"
    ),
    "arp_ignore 3, an address of this host alone": Case(
        wanted="10.8.0.9", answers=False, settings={"arp_ignore": 3}
    ),
    "arp_ignore 3, another": Case(wanted="10.8.0.8", answers=True, settings={"arp_ignore": 3}),
    "arp_filter, the way back is this one": Case(wanted="10.0.0.2", answers=True, settings={"arp_filter": 1}),
    "arp_filter, the way back is another": Case(
        wanted="10.0.0.2", answers=False, settings={"arp_filter": 1}, asks_as="10.0.77.1"
    ),
    "an entry": Case(wanted=BEHIND, answers=True, settings=ROUTER),
    "an entry of a host that does not forward": Case(wanted=BEHIND, answers=False),
    "an entry without a route": Case(wanted=NOWHERE, answers=False, settings=ROUTER),
    "an entry for who is on the same wire": Case(wanted=ON_THE_WIRE, answers=False, settings=ROUTER),
    "proxy_arp_pvlan for who is on the same wire": Case(
        wanted=ON_THE_WIRE, answers=True, settings={**ROUTER, "proxy_arp_pvlan": 1}
    ),
    "proxy_arp_pvlan for who is not": Case(
        wanted=BESIDE, answers=False, settings={**ROUTER, "proxy_arp_pvlan": 1}
    ),
    "proxy_arp for who is not": Case(wanted=BESIDE, answers=True, settings={**ROUTER, "proxy_arp": 1}),
    "proxy_arp for who is": Case(wanted=ON_THE_WIRE, answers=False, settings={**ROUTER, "proxy_arp": 1}),
    "an entry of IPv6": Case(wanted="fd06::1", answers=True, settings={**ROUTER, "proxy_ndp": 1}),
    "an entry of IPv6 of a host": Case(wanted="fd06::1", answers=False, settings={"proxy_ndp": 1}),
    "an entry of IPv6 that is not asked for": Case(wanted="fd06::1", answers=False, settings=ROUTER),
    "the address of all routers": Case(wanted="fd00::", answers=True, settings=ROUTER),
    "the address of all routers of a host": Case(wanted="fd00::", answers=False),
}


@pytest.fixture(scope="module")
def wire() -> Iterator[Lab]:
    """Who asks, who is asked, and somebody behind the latter."""
    with lab("answers") as made:
        made.add("asked", "asks", "behind")
        made.connect(("asks", DEVICE), ("asked", DEVICE))
        made.connect(("asked", "eth1"), ("behind", DEVICE))
        made["asks"].ip(
            "link set lo up",
            f"addr add 10.0.0.1/24 dev {DEVICE}",
            f"addr add fd00::1/64 dev {DEVICE} nodad",
            "addr add 10.0.77.1/32 dev lo",
            *(
                f"route add {each} dev {DEVICE}"
                for each in ("10.6.0.0/24", "10.8.0.0/24", "10.9.9.0/24", "fd06::/64")
            ),
        )
        made["asked"].ip(
            f"addr add 10.0.0.2/24 dev {DEVICE}",
            f"addr add fd00::2/64 dev {DEVICE} nodad",
            "addr add 10.0.5.1/24 dev eth1",
            "addr add 10.8.0.8/32 dev lo",
            "addr add 10.8.0.9/32 dev lo scope host",
            *(f"route add {each} via 10.0.5.2" for each in ("10.0.77.1", BEHIND, BESIDE)),
            f"route add {ON_THE_WIRE} dev {DEVICE}",
            *(f"neigh add proxy {each} dev {DEVICE}" for each in (BEHIND, NOWHERE, ON_THE_WIRE, "fd06::1")),
        )
        for version in OTHERWISE:
            waits = {f"net/ipv{version}/neigh/{DEVICE}/{name}": value for name, value in IMPATIENT.items()}
            made["asks"].sysctls(waits)
            made["asked"].sysctls({f"net/ipv{version}/neigh/{DEVICE}/proxy_delay": 0})
        yield made


def was_answered(made: Lab, case: Case) -> bool:
    """What a datagram's neighbour entry becomes."""
    with socket_in(made["asks"], case.version, socket.SOCK_DGRAM) as sender:
        sender.bind((case.asks_as, 0))
        sender.sendto(b"?", (case.wanted, 80))
    command = [*made["asks"].enter, "ip", "-json", "neigh", "show", case.wanted]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        (entry,) = json.loads(succeed(command))
        if "FAILED" in entry["state"] or "lladdr" in entry:
            return "lladdr" in entry
        time.sleep(0.02)
    raise TimeoutError(case)


@pytest.fixture
def silent() -> Iterator[Lab]:
    """Two hosts on one wire."""
    with lab("silent") as made:
        made.add("one", "other")
        made.connect(("one", DEVICE), ("other", DEVICE))
        for number, name in enumerate(("one", "other"), start=1):
            made[name].ip(
                f"addr add 10.0.0.{number}/24 dev {DEVICE}", f"addr add fd00::{number}/64 dev {DEVICE} nodad"
            )
        made.serve("other", "udp:10.0.0.2@80", "udp:fd00::2@80")
        yield made


@pytest.mark.parametrize("target", ["10.0.0.2", "fd00::2"])
@pytest.mark.parametrize("known", [False, True])
def test_a_device_that_asks_nobody(silent: Lab, target: str, known: bool) -> None:
    """Takes its own link address for that of each neighbour that is not entered by hand, and so is not heard."""
    for name, address in (("one", target), ("other", f"{target[:-1]}1")):
        end = "other" if name == "one" else "one"
        (link,) = json.loads(succeed([*silent[end].enter, "ip", "-json", "link", "show", DEVICE]))
        silent[name].ip(f"link set dev {DEVICE} arp off")
        if known:
            silent[name].ip(f"neigh replace {address} lladdr {link['address']} dev {DEVICE}")

    expected = ("reached", "other", f"{target[:-1]}1") if known else ("timeout", "", "")

    assert predicted(silent, "one", target, 80, "udp") == {expected}
    seen = silent.reach("one", target, 80, "udp", seconds=10 if known else 0.3)
    assert seen["result"] == expected[0]


@pytest.mark.parametrize("name", CASES)
def test_who_answers(wire: Lab, name: str) -> None:
    """The walk's packet is lost before it is sent exactly where the kernel's question stays without an answer."""
    case = CASES[name]
    settings = {**dict.fromkeys(OTHERWISE[case.version], 0), **case.settings}
    wire["asked"].sysctls(
        {f"net/ipv{case.version}/conf/{DEVICE}/{key}": value for key, value in settings.items()}
    )
    succeed([*wire["asks"].enter, "ip", f"-{case.version}", "neigh", "flush", "all"])
    packet = question(case.wanted, 80, "udp")
    if case.asks_as:
        packet = replace(packet, source=ip_address(case.asks_as))

    paths = walk(wire, "asks", packet)

    lost = [len(path.hops) == 1 and path.ending.verdict is Verdict.NO_NEIGHBOUR for path in paths]
    assert lost == [not case.answers]
    assert was_answered(wire, case) == case.answers
