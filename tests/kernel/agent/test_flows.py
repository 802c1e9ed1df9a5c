"""Existing connections, counted by who answers them: real UDP entries of a real table."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest

from kubectl_packetpath.cluster.flows import Existing, Standing
from kubectl_packetpath.packet import TCP, UDP
from kubectl_packetpath.snapshot import Snapshot
from kubectl_packetpath.snapshot.codec import decode, encode
from kubectl_packetpath.snapshot.conntrack import FlowCount, FlowFilter
from kubectl_packetpath.snapshot.flows import flows_to
from packetpath_agent.live import LiveNamespace
from packetpath_agent.netns import Found
from testbed.netns import OWN, Namespace

pytestmark = pytest.mark.kernel

SERVICE, SERVICE6, DEAD, DEAD6 = "10.96.0.10", "2001:db8:96::10", "10.244.1.9", "2001:db8:244::9"
OTHERS = 4000
DNAT = f"""table inet t {{ chain sent {{
  type nat hook output priority -100
  ip daddr {SERVICE} udp dport 53 dnat ip to {DEAD}:5353
  ip6 daddr {SERVICE6} udp dport 53 dnat ip6 to [{DEAD6}]:5353
}}
}}
"""
TRACKED = """table inet seen { chain sent {
  type filter hook output priority 0
  ct state new counter
}
}
"""
SEND = """
import socket, sys
address, port, sports = sys.argv[1], int(sys.argv[2]), [int(each) for each in sys.argv[3:]]
for sport in sports:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("", sport))
        one.sendto(b"?", (address, port))
"""
SEND_MANY = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    for number in range(int(sys.argv[1])):
        one.sendto(b"?", (f"10.96.{number >> 8 & 255}.{number & 255}", 9999))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A namespace whose packets go out of a wire at which nobody listens."""

    namespace: Namespace

    def run(self, *command: str, text: str = "") -> str:
        """What a program there prints."""
        entered = [*self.namespace.enter, *command]
        return subprocess.run(entered, input=text, capture_output=True, text=True, check=True).stdout

    def send(self, address: str, port: int, *sports: int) -> None:
        """One datagram from each of these ports."""
        self.run(sys.executable, "-c", SEND, address, str(port), *map(str, sports))

    def narrowed(self, *keys: FlowFilter) -> Snapshot:
        """What the agent sends back when it is asked to count these."""
        path = Path(self.namespace.path)
        found = Found(identity=path.stat().st_ino, path=path)
        with closing(LiveNamespace(found, is_host=True, pod=None)) as state:
            for key in keys:
                state.count_flows(key)
            return Snapshot(node="n", taken_at="", namespaces=(state.narrowed(),))

    def count(self, key: FlowFilter) -> FlowCount:
        """The same after its way to the client."""
        found = flows_to(decode(encode(self.narrowed(key))).host, key)
        assert found is not None
        return found


@pytest.fixture
def room() -> Iterator[Room]:
    """Connections are tracked, and the Service's rules are not there yet."""
    made = Room(namespace=Namespace(name=f"{OWN}flows"))
    made.namespace.create()
    try:
        made.namespace.ip(
            "link set lo up",
            "link add a0 type veth peer name a1",
            "link set a0 up",
            "link set a1 up",
            "addr add 192.0.2.1/24 dev a0",
            "addr add 2001:db8::1/64 dev a0 nodad",
            "neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev a0 nud permanent",
            "neigh add 2001:db8::9 lladdr 02:00:00:00:00:09 dev a0 nud permanent",
            "route add default via 192.0.2.9 dev a0",
            "route add ::/0 via 2001:db8::9 dev a0",
        )
        made.run("nft", "-f", "-", text=TRACKED)
        yield made
    finally:
        made.namespace.delete()


def key_of(address: str, protocol: int = UDP, port: int = 53) -> FlowFilter:
    """All that clients sent there."""
    return FlowFilter(destination=ip_address(address), protocol=protocol, dport=port)


@pytest.mark.parametrize(("service", "dead"), [(SERVICE, DEAD), (SERVICE6, DEAD6)])
def test_entries_are_counted_by_who_answers_them(room: Room, service: str, dead: str) -> None:
    """Those that began before the rules go to the Service's own address, the later ones to the endpoint."""
    room.send(service, 53, 5001)
    room.run("nft", "-f", "-", text=DNAT)
    room.send(service, 53, 5001, 5002, 5003)
    room.send(service, 54, 5004)

    found = room.count(key_of(service))

    seen = {(str(each.address), each.port, each.count, each.unanswered) for each in found.takers}
    assert seen == {(service, 53, 1, 1), (dead, 5353, 2, 2)}


def test_the_kernel_picks_them_out(room: Room) -> None:
    """Of thousands of other connections none leaves the kernel, and none is sent to the client."""
    room.run("nft", "-f", "-", text=DNAT)
    room.run(sys.executable, "-c", SEND_MANY, str(OTHERS))
    room.send(SERVICE, 53, 5001)
    began = time.perf_counter()
    snapshot = room.narrowed(key_of(SERVICE))
    took = time.perf_counter() - began

    assert room.run("conntrack", "-C").strip() == str(OTHERS + 1)
    assert len(encode(snapshot)) < 2000
    assert took < 1.0


@pytest.mark.parametrize(("service", "dead"), [(SERVICE, DEAD), (SERVICE6, DEAD6)])
def test_the_command_clears_just_those(room: Room, service: str, dead: str) -> None:
    """Run as it is printed, it deletes the pinned entries and no others."""
    room.run("nft", "-f", "-", text=DNAT)
    room.send(service, 53, 5001, 5002)
    room.send(service, 54, 5003)
    pinned = Existing(
        node="n",
        destination=ip_address(service),
        port=53,
        protocol=UDP,
        taker=ip_address(dead),
        taker_port=5353,
        standing=Standing.GONE,
        count=2,
    )
    assert room.count(key_of(service)).takers[0].count == pinned.count

    room.run(*pinned.clearing.split())

    assert room.count(key_of(service)).takers == ()
    assert room.count(key_of(service, port=54)).takers[0].count == 1


def test_closed_tcp_connections_do_not_count(room: Room) -> None:
    """Nobody waits for an answer to those."""
    for sport, state in ((6001, "ESTABLISHED"), (6002, "TIME_WAIT"), (6003, "CLOSE"), (6004, "SYN_SENT")):
        words = (
            f"-I -p tcp -s 192.0.2.1 -d {SERVICE} --sport {sport} --dport 80 --state {state} -t 60 -u ASSURED"
        )
        room.run(
            "conntrack",
            *words.split(),
            "-r",
            DEAD,
            "-q",
            "192.0.2.1",
            "--reply-port-src",
            "8080",
            "--reply-port-dst",
            str(sport),
        )

    (taker,) = room.count(key_of(SERVICE, TCP, 80)).takers

    assert (str(taker.address), taker.port, taker.count) == (DEAD, 8080, 2)


def test_a_whole_recording_counts_the_same(room: Room) -> None:
    """A bundle holds all entries, and is asked in the same way."""
    room.run("nft", "-f", "-", text=DNAT)
    room.send(SERVICE, 53, 5001, 5002)
    path = Path(room.namespace.path)
    found = Found(identity=path.stat().st_ino, path=path)
    with closing(LiveNamespace(found, is_host=True, pod=None)) as state:
        state.read_everything()
        whole = Snapshot(node="n", taken_at="", namespaces=(state.narrowed(whole=True),))

    told = flows_to(decode(encode(whole)).host, key_of(SERVICE))

    assert told is not None
    assert [(str(each.address), each.count) for each in told.takers] == [(DEAD, 2)]
