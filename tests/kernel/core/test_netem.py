"""Devices that lose packets on purpose (netem): the walk's shares against many real datagrams."""

import math
import sys
import time
from collections.abc import Iterator

import pytest
from kernel.lab import Lab, assumptions, happened, lab, predicted, question, walk

from kubectl_packetpath.trace import Verdict
from testbed.netns import succeed

pytestmark = [pytest.mark.kernel, pytest.mark.vm]

CLIENT, SERVER, LOOP = "10.7.0.1", "10.7.0.2", "127.0.0.1"
DATAGRAMS = 200
LOOKS = 100


@pytest.fixture
def pair() -> Iterator[Lab]:
    """Two hosts on one wire."""
    with lab("netem") as made:
        made.add("client", "server")
        made.connect(("client", "eth0"), ("server", "eth0"))
        for name, address in (("client", CLIENT), ("server", SERVER)):
            made[name].ip(f"addr add {address}/24 dev eth0", "link set lo up")
            made.serve(name, "tcp:8080", "udp:8080")
        yield made


def discipline(made: Lab, name: str, *lines: str) -> None:
    """Run `tc qdisc add` in a namespace."""
    for line in lines:
        succeed([*made[name].enter, "tc", "qdisc", "add", *line.split()])


@pytest.mark.parametrize("name", ["client", "server"])
def test_all_is_lost(pair: Lab, name: str) -> None:
    """On the way there, or on the way back."""
    discipline(pair, name, "dev eth0 root netem loss 100%")

    assert predicted(pair, "client", SERVER, 8080) == {happened(pair, "client", SERVER, 8080)}


def test_what_only_takes_longer(pair: Lab) -> None:
    """A delay loses nothing."""
    discipline(pair, "client", "dev eth0 root netem delay 20ms")

    told, seen = predicted(pair, "client", SERVER, 8080), happened(pair, "client", SERVER, 8080)
    assert told == {seen}
    assert seen[0] == "reached"


def test_a_share_is_lost(pair: Lab) -> None:
    """As many of the real datagrams as are told, within what chance allows; the question who has the address is not among them."""
    assert happened(pair, "client", SERVER, 8080)[0] == "reached"
    discipline(pair, "client", "dev eth0 root netem loss 30%")

    paths = {each.ending.verdict: each for each in walk(pair, "client", question(SERVER, 8080, "udp"))}
    lost = paths[Verdict.DROPPED]
    assert lost.ending.reason == "netem on eth0 loses 30 % of all packets"
    assert lost.weight is not None
    assert paths[Verdict.SENT if Verdict.SENT in paths else Verdict.DELIVERED].weight == 1 - lost.weight
    real = _lost_of(pair)
    spread = 4.5 * math.sqrt(0.3 * 0.7 / DATAGRAMS)
    assert abs(real / DATAGRAMS - float(lost.weight)) < spread


def _lost_of(made: Lab) -> int:
    """By the server's counter of what came in."""
    before = _received(made)
    send = f"import socket; s = socket.socket(2, 2)\nfor _ in range({DATAGRAMS}): s.sendto(b'x', ('{SERVER}', 9))"
    succeed([*made["client"].enter, sys.executable, "-c", send])
    seen = [before, _received(made)]
    while seen[-1] != seen[-2] or seen[-1] == before:
        assert len(seen) < LOOKS, "nothing has come"
        time.sleep(0.2)
        seen.append(_received(made))
    return DATAGRAMS - (seen[-1] - before)


def _received(made: Lab) -> int:
    """UDP to a port without a socket."""
    lines = succeed([*made["server"].enter, "cat", "/proc/net/snmp"]).splitlines()
    names, values = (line.split() for line in lines if line.startswith("Udp:"))
    return int(values[names.index("NoPorts")])


def test_loopback_loses(pair: Lab) -> None:
    """A host's own traffic goes by a device, too."""
    discipline(pair, "client", "dev lo root netem loss 100%")

    assert predicted(pair, "client", LOOP, 8080) == {happened(pair, "client", LOOP, 8080)}


@pytest.mark.parametrize(
    "lines",
    [
        ("dev eth0 root handle 1: prio", "dev eth0 parent 1:3 handle 30: netem loss 100%"),
        ("dev eth0 root netem corrupt 1%",),
        ("dev eth0 root netem loss gemodel 1%",),
    ],
)
def test_what_cannot_be_told(pair: Lab, lines: tuple[str, ...]) -> None:
    """Below another discipline its filters choose; a model with memory has no share: said, and not guessed."""
    discipline(pair, "client", *lines)

    paths = walk(pair, "client", question(SERVER, 8080))

    assert {each.weight for each in paths} == {None}
    assert all(
        "netem eth0: netem loses or spoils packets, which ones is not modelled" in assumptions(each)
        for each in paths
    )


@pytest.mark.parametrize("kind", ["vlan", "macvlan"])
def test_below_the_device_that_sends(pair: Lab, kind: str) -> None:
    """The wire's own discipline loses what another device gives it: the kernel does, and the walk says that it did not look."""
    for name, address in (("client", "10.9.0.1"), ("server", "10.9.0.2")):
        words = "vlan id 7" if kind == "vlan" else "macvlan mode bridge"
        pair[name].ip(
            f"link add link eth0 name upper type {words}",
            "link set upper up",
            f"addr add {address}/24 dev upper",
        )
    assert predicted(pair, "client", "10.9.0.2", 8080) == {happened(pair, "client", "10.9.0.2", 8080)}
    discipline(pair, "client", "dev eth0 root netem loss 100%")

    (path,) = walk(pair, "client", question("10.9.0.2", 8080))
    assert path.weight is None
    assert happened(pair, "client", "10.9.0.2", 8080)[0] == "timeout"
