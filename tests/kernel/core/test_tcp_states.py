"""Segments of known TCP connections: which of them the kernel finds invalid, in every state, from both sides."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import product
from typing import Any

import pytest
from kernel.lab import Lab, lab
from scapy.layers.inet import IP
from scapy.layers.inet import TCP as SEGMENT

from kubectl_packetpath.packet import TCP, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, Packet, State
from kubectl_packetpath.walk.conntrack import track
from kubectl_packetpath.walk.here import Here, Hook
from packetpath_agent.live import LiveNamespace
from testbed.netns import succeed
from testbed.waiting import wait_until

pytestmark = pytest.mark.kernel

CLIENT, ROUTER = "10.8.0.2", "10.8.0.1"
STATES = (
    "SYN_SENT",
    "SYN_RECV",
    "ESTABLISHED",
    "FIN_WAIT",
    "CLOSE_WAIT",
    "LAST_ACK",
    "TIME_WAIT",
    "CLOSE",
    "LISTEN",
)
"""As conntrack(8) calls them; LISTEN is SYN_SENT2."""
SYN_ACK, FIN_ACK, RST_ACK = TCP_SYN | TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST | TCP_ACK
FLAGS = (
    0,
    TCP_SYN,
    SYN_ACK,
    TCP_ACK,
    TCP_FIN,
    FIN_ACK,
    TCP_RST,
    RST_ACK,
    TCP_SYN | TCP_FIN,
    TCP_SYN | TCP_RST,
)
SEND = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
    for line in sys.stdin:
        raw.sendto(bytes.fromhex(line), ("10.8.0.1", 0))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A segment of the client's, and the connection that it belongs to (None: to no known one)."""

    port: int
    flags: int
    state: str | None = None
    is_reply: bool = False

    @property
    def told(self) -> tuple[str | None, bool, int]:
        """For people."""
        return self.state, self.is_reply, self.flags

    @property
    def segment(self) -> bytes:
        """As the client sends it."""
        layers: Any = IP(src=CLIENT, dst=ROUTER) / SEGMENT(sport=self.port, dport=80, flags=self.flags, ack=1)
        return bytes(layers)

    @property
    def packet(self) -> Packet:
        """As the walk knows it."""
        return Packet(
            source=ip_address(CLIENT),
            destination=ip_address(ROUTER),
            protocol=TCP,
            sport=self.port,
            dport=80,
            tcp_flags=self.flags,
        )


def cases() -> Iterator[Case]:
    """Every state with every segment, from who asked and from who answers; and those that come first."""
    every = [*product(STATES, (False, True), FLAGS), *((None, False, flags) for flags in FLAGS)]
    for port, (state, is_reply, flags) in enumerate(every, start=20000):
        yield Case(port=port, flags=flags, state=state, is_reply=is_reply)


@pytest.fixture(scope="module")
def wire() -> Iterator[Lab]:
    """A client, and a router that hears all and answers nothing."""
    with lab("tcpstates") as made:
        made.add("router", "client")
        made.connect(("router", "client"), ("client", "eth0"))
        made["router"].ip(f"addr add {ROUTER}/24 dev client")
        made["client"].ip(f"addr add {CLIENT}/24 dev eth0")
        rules = [
            f"-A PREROUTING -p tcp --sport {each.port} -m conntrack --ctstate INVALID" for each in cases()
        ]
        made.load("router", "iptables-legacy-restore", "\n".join(["*mangle", *rules, "COMMIT\n"]))
        made.load("router", "iptables-legacy-restore", "*filter\n-A INPUT -p tcp -j DROP\nCOMMIT\n")
        made["router"].sysctls({"net/netfilter/nf_conntrack_tcp_be_liberal": 1})  # windows are not the matter
        for each in cases():
            if each.state is not None:
                enter_connection(made, each)
        yield made


def enter_connection(made: Lab, case: Case) -> None:
    """Write the connection into the router's table."""
    ends = [CLIENT, ROUTER, str(case.port), "80"]
    if case.is_reply:
        ends = [ROUTER, CLIENT, "80", str(case.port)]
    words = [word for pair in zip(["-s", "-d", "--sport", "--dport"], ends, strict=True) for word in pair]
    command = [*made["router"].enter, "conntrack", "-I", "-p", "tcp", *words]
    succeed([*command, "--state", str(case.state), "-t", "300", "-u", "SEEN_REPLY"])


def invalid_to_the_walk(state: LiveNamespace, case: Case) -> set[bool]:
    """Whether it is, in each branch."""
    here = Here(node="router", state=state, hook=Hook.PREROUTING, ask_table=True)
    states = [
        each.packet.connection and each.packet.connection.state for each in track(here, case.packet, None)
    ]
    return {state is State.INVALID for state in states}


def counts(made: Lab) -> dict[int, int]:
    """Invalid segments by the client's port."""
    rules = succeed([*made["router"].enter, "iptables-legacy-save", "-c", "-t", "mangle"]).splitlines()
    words = [line.split() for line in rules if "--ctstate" in line]
    return {int(each[each.index("--sport") + 1]): int(each[0][1:].split(":")[0]) for each in words}


def test_what_is_invalid(wire: Lab) -> None:
    """The walk says it of the same segments as the kernel, and of a closed one that may be opened anew leaves it open."""
    every = list(cases())
    with wire.node() as node:
        state = node.host()
        assert isinstance(state, LiveNamespace)
        said = {each.told: invalid_to_the_walk(state, each) for each in every}
    lines = "".join(f"{each.segment.hex()}\n" for each in every)
    subprocess.run(
        [*wire["client"].enter, sys.executable, "-c", SEND], input=lines, text=True, check=True, timeout=60
    )
    wait_until("the last segment has come", lambda: counts(wire)[every[-1].port] == 1, timeout_seconds=10)
    seen = counts(wire)

    assert {each.told: {seen[each.port] > 0} for each in every} == said
    assert set(seen.values()) == {0, 1}
