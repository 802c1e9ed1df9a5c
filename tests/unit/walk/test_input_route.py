"""What may come in by a device."""

from ipaddress import ip_address

import pytest
from unit.walk.states import LO, WrittenState, device, here, owned, packet, route

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Verdict
from kubectl_packetpath.walk.input_route import Decision, route_input

ETH0, ETH1 = device(2, "eth0"), device(3, "eth1")
WAYS = (
    route("local 192.0.2.10/32 dev 2"),
    route("broadcast 192.0.2.255/32 dev 2"),
    route("192.0.2.0/24 dev 2"),
    route("10.0.0.0/8 dev 3"),
)


def decided(given: Packet, **settings: str) -> Decision:
    """What eth0 of a forwarding host does with the packet; settings of eth0 by name."""
    values = {"forwarding": "1", **settings}
    state = WrittenState(
        devices=(LO, ETH0, ETH1),
        owned=(owned(2, "192.0.2.10/24"),),
        ways=WAYS,
        settings={f"net/ipv4/conf/eth0/{name}": value for name, value in values.items()},
    )
    (decision,) = route_input(here(state), given, ETH0)
    return decision


def reason_of(decision: Decision) -> str:
    """Why it ended."""
    assert decision.ending is not None
    return decision.ending.reason


def test_a_packet_for_this_host_and_one_for_another() -> None:
    """Local addresses stay, others go on."""
    here_way = decided(packet("192.0.2.7:1 192.0.2.10:80")).way
    onward = decided(packet("192.0.2.7:1 10.1.0.3:80")).way

    assert here_way is not None
    assert onward is not None
    assert (here_way.type, onward.type, onward.device) == ("local", "unicast", ETH1)


@pytest.mark.parametrize(
    ("ends", "settings", "words"),
    [
        ("127.0.0.1:1 192.0.2.10:80", {}, "loopback address"),
        ("192.0.2.7:1 127.0.0.1:80", {}, "loopback address"),
        ("224.0.0.1:1 192.0.2.10:80", {}, "impossible"),
        ("192.0.2.7:1 0.0.0.7:80", {}, "impossible"),
        ("192.0.2.10:1 10.1.0.3:80", {}, "this very host"),
        ("192.0.2.7:1 192.0.2.255:80", {}, "broadcast address"),
        ("192.0.2.7:1 10.1.0.3:80", {"forwarding": "0"}, "not forwarded"),
        ("10.9.0.1:1 192.0.2.10:80", {"rp_filter": "1"}, "reverse path filter"),
        ("203.0.113.1:1 192.0.2.10:80", {"rp_filter": "2"}, "reverse path filter"),
    ],
)
def test_what_is_dropped(ends: str, settings: dict[str, str], words: str) -> None:
    """Each for its own reason."""
    decision = decided(packet(ends), **settings)

    assert words in reason_of(decision)
    assert decision.ending is not None
    assert decision.ending.verdict is Verdict.DROPPED


@pytest.mark.parametrize(
    ("ends", "settings"),
    [
        ("192.0.2.7:1 127.0.0.1:80", {"route_localnet": "1"}),
        ("10.9.0.1:1 192.0.2.10:80", {"rp_filter": "2"}),
        ("10.9.0.1:1 192.0.2.10:80", {"rp_filter": "0"}),
        ("192.0.2.10:1 10.1.0.3:80", {"accept_local": "1"}),
    ],
)
def test_what_a_setting_lets_in(ends: str, settings: dict[str, str]) -> None:
    """The switches that open each of these doors."""
    decision = decided(packet(ends), **settings)

    assert "martian" not in (decision.ending.reason if decision.ending else "")
    assert "filter" not in (decision.ending.reason if decision.ending else "")


def test_the_evidence_of_the_reverse_path_filter() -> None:
    """Both settings, and the route back."""
    facts = decided(packet("10.9.0.1:1 192.0.2.10:80"), rp_filter="1").because

    assert [fact.section for fact in facts] == ["sysctl", "sysctl", "route"]
    assert facts[1].text == "net.ipv4.conf.eth0.rp_filter = 1"


def test_no_route() -> None:
    """Nothing matches the destination."""
    decision = decided(packet("192.0.2.7:1 198.51.100.1:80"))

    assert reason_of(decision) == f"no route to {ip_address('198.51.100.1')}"
