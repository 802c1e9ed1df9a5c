"""What becomes of answers whose mark leads elsewhere, of packets that no wire brings, and of a host without loopback."""

import json
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from kernel.core.router import socket_in
from kernel.lab import Lab, answer, happened, lab, predicted, question, walk

from kubectl_packetpath.packet import ICMP, ICMPV6, Packet
from kubectl_packetpath.trace import Verdict
from testbed.netns import succeed

pytestmark = pytest.mark.kernel

ASKED = {4: "10.0.0.1", 6: "fd00::1"}
families = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])


@pytest.fixture(scope="module")
def built() -> Iterator[Lab]:
    """A server at the wire of its client; what bears a mark it sends nowhere."""
    with lab("marked") as made:
        made.add("server", "client")
        made.connect(("server", "eth0"), ("client", "eth0"))
        for number, name in enumerate(("server", "client"), start=1):
            made[name].ip(
                f"addr add 10.0.0.{number}/24 dev eth0", f"addr add fd00::{number}/64 dev eth0 nodad"
            )
        for family in ASKED:
            succeed(
                ["ip", f"-{family}", "-n", made["server"].name, *["rule", "add", "fwmark", "0x5", "prohibit"]]
            )
        made.load(
            "server",
            "nft -f -",
            """table inet x { chain first { type filter hook prerouting priority -300;
                tcp dport 80 meta mark set 0x5; icmp type echo-request meta mark set 0x5;
                icmpv6 type echo-request meta mark set 0x5; }; }\n""",
        )
        made["client"].sysctls({"net/ipv4/ping_group_range": "0 0"})
        made.serve("server", "tcp:80")
        yield made


@families
@pytest.mark.parametrize("kept", [0, 1])
def test_the_answer_of_tcp_bears_the_mark_of_the_question(built: Lab, family: int, kept: int) -> None:
    """Where `tcp_fwmark_accept` says so, for IPv6 as well."""
    built["server"].sysctls({"net/ipv4/tcp_fwmark_accept": kept})
    (path,) = walk(built, "client", question(ASKED[family], 80))

    (back,) = answer(built, path)

    seen = built.reach("client", ASKED[family], 80, seconds=0.3 if kept else 10)["result"]
    assert (back.ending.verdict, seen) == (
        (Verdict.NO_ROUTE, "timeout") if kept else (Verdict.DELIVERED, "reached")
    )


@families
@pytest.mark.parametrize("kept", [0, 1])
def test_the_answer_to_an_echo_request_bears_its_mark(built: Lab, family: int, kept: int) -> None:
    """Where `fwmark_reflect` says so, for each family by itself."""
    built["server"].sysctls({f"net/ipv{family}/fwmark_reflect": kept})
    first = question(ASKED[family], 0, "udp")
    echo = Packet(
        source=first.source,
        destination=first.destination,
        protocol=ICMP if family == 4 else ICMPV6,
        icmp_type=8 if family == 4 else 128,
        icmp_code=0,
        icmp_id=7,
        uid=0,
        gid=0,
    )
    (path,) = walk(built, "client", echo)

    (back,) = answer(built, path)

    seen = pinged(built, family, 0.3 if kept else 10)
    assert (back.ending.verdict, seen) == ((Verdict.NO_ROUTE, False) if kept else (Verdict.DELIVERED, True))


def test_a_source_that_no_wire_brings(built: Lab) -> None:
    """IPv6 drops it before any rule; the client's own translation had made it."""
    built.load(
        "client",
        "nft -f -",
        "table ip6 x { chain last { type nat hook postrouting priority 100; udp dport 81 snat to ::1; }; }\n",
    )
    before = dropped(built, "Ip6InHdrErrors")

    (path,) = walk(built, "client", question(ASKED[6], 81, "udp"))
    send(built, ASKED[6], 81)

    assert (path.ending.verdict, "martian" in path.ending.reason) == (Verdict.DROPPED, True)
    assert waited(built, "Ip6InHdrErrors", before)


def test_a_device_without_ipv6(built: Lab) -> None:
    """Takes none, though its neighbours know its link address."""
    (device,) = json.loads(succeed([*built["server"].enter, "ip", "-json", "link", "show", "eth0"]))
    built["client"].ip(f"neigh replace {ASKED[6]} lladdr {device['address']} dev eth0")
    built["server"].sysctls({"net/ipv6/conf/eth0/disable_ipv6": 1})
    before = dropped(built, "Ip6InDiscards")

    try:
        (path,) = walk(built, "client", question(ASKED[6], 82, "udp"))
        send(built, ASKED[6], 82)

        assert (path.ending.verdict, path.ending.reason) == (Verdict.DROPPED, "IPv6 is disabled on eth0")
        assert waited(built, "Ip6InDiscards", before)
    finally:
        built["server"].sysctls({"net/ipv6/conf/eth0/disable_ipv6": 0})
        built["server"].ip(f"addr add {ASKED[6]}/64 dev eth0 nodad")
        built["client"].ip(f"neigh del {ASKED[6]} dev eth0")


@families
def test_a_namespace_whose_loopback_is_down(built: Lab, family: int) -> None:
    """Reaches none of its own addresses, though others do."""
    built["server"].sysctls({"net/ipv4/tcp_fwmark_accept": 0})
    built["server"].ip("link set lo down")
    try:
        (path,) = walk(built, "server", question(ASKED[family], 80))

        assert (path.ending.verdict, path.ending.reason.partition(":")[0]) == (Verdict.DROPPED, "lo is down")
        assert built.reach("server", ASKED[family], 80, seconds=0.3)["result"] == "timeout"
        assert predicted(built, "client", ASKED[family], 80) == {happened(built, "client", ASKED[family], 80)}
    finally:
        built["server"].ip("link set lo up")


def pinged(made: Lab, family: int, seconds: float) -> bool:
    """Whether the server answers an echo request."""
    protocol, echo = {4: (ICMP, 8), 6: (ICMPV6, 128)}[family]
    with socket_in(made["client"], family, socket.SOCK_DGRAM, protocol) as asking:
        asking.settimeout(seconds)
        asking.sendto(struct.pack("!BBHHH", echo, 0, 0, 7, 1), (ASKED[family], 0))
        try:
            return bool(asking.recv(100))
        except TimeoutError:
            return False


def send(made: Lab, target: str, port: int) -> None:
    """One datagram of the client."""
    with socket_in(made["client"], 6, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"?", (target, port))


def dropped(made: Lab, counter: str) -> int:
    """What the server has counted."""
    text = succeed([*made["server"].enter, "cat", "/proc/net/snmp6"])
    return int(dict(line.split() for line in text.splitlines())[counter])


def waited(made: Lab, counter: str, before: int) -> bool:
    """Whether the server counts one more soon."""
    deadline = time.monotonic() + 10
    while dropped(made, counter) <= before and time.monotonic() < deadline:
        time.sleep(0.02)
    return dropped(made, counter) > before
