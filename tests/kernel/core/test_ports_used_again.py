"""A TCP port used again: which SYN opens a closed connection anew, and goes through NAT's rules once more."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from itertools import count

import pytest
from kernel.core.router import socket_in
from kernel.lab import Lab, assumptions, lab, question, walk

from kubectl_packetpath.trace import Verdict
from kubectl_packetpath.walk.explore import NodePath
from testbed.netns import succeed
from testbed.waiting import wait_until

pytestmark = pytest.mark.kernel

VIRTUAL, CLIENT, SERVER = "10.96.0.1", "10.0.0.2", "10.0.1.2"
OLD, NEW = 81, 80
"""Ports of the server: that of the old connection, and that of which NAT's rules speak by now."""
PORTS = count(41000)
"""Of the client: a new one for each connection, or its TIME_WAIT would be in the way."""


@pytest.fixture(scope="module")
def routed() -> Iterator[Lab]:
    """A client, a router that translates, and a server."""
    with lab("waysanew") as made:
        made.add("router", "client", "server")
        for number, (name, address) in enumerate((("client", CLIENT), ("server", SERVER))):
            made.connect(("router", name), (name, "eth0"))
            made["router"].ip(f"addr add 10.0.{number}.1/24 dev {name}")
            made[name].ip(f"addr add {address}/24 dev eth0", f"route add default via 10.0.{number}.1")
        made.serve("server", f"tcp:{NEW}")
        made["router"].sysctls(
            {"net/ipv4/ip_forward": 1, "net/netfilter/nf_conntrack_tcp_timeout_close": 120}
        )
        yield made


@contextmanager
def tcp(made: Lab, name: str, address: str, port: int) -> Iterator[socket.socket]:
    """A socket of a namespace, in our hands."""
    with socket_in(made[name], 4, socket.SOCK_STREAM) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.settimeout(10)
        opened.bind((address, port))
        yield opened


def translate(made: Lab, port: int) -> None:
    """New connections to the virtual address go to this port of the server."""
    made.load(
        "router",
        "iptables-legacy-restore",
        f"*nat\n-A PREROUTING -d {VIRTUAL} -p tcp -j DNAT --to-destination {SERVER}:{port}\nCOMMIT\n",
    )


@contextmanager
def connection(made: Lab, port: int) -> Iterator[dict[str, socket.socket]]:
    """Client and server of a connection to the old port."""
    translate(made, OLD)
    with tcp(made, "server", SERVER, OLD) as listener, tcp(made, "client", CLIENT, port) as client:
        listener.listen()
        client.connect((VIRTUAL, 80))
        server, _ = listener.accept()
        translate(made, NEW)
        with server:
            yield {"client": client, "server": server}


def wait_for(made: Lab, port: int, state: str) -> None:
    """Until the router's table has the connection in this state."""
    command = [*made["router"].enter, "conntrack", "-L", "-p", "tcp", "--state", state]
    wait_until(state, lambda: f"sport={port} " in succeed(command), timeout_seconds=10)


def once_more(made: Lab, port: int) -> list[NodePath]:
    """The walk of another SYN of the same flow."""
    packet = replace(question(VIRTUAL, 80, sport=port), source=ip_address(CLIENT))
    return walk(made, "client", packet, ask_table=True)


def becomes(made: Lab, port: int) -> str:
    """What really becomes of it: only the new port is served."""
    return str(made.reach("client", VIRTUAL, 80, sport=port)["result"])


def test_a_syn_opens_a_closed_connection_anew(routed: Lab) -> None:
    """Once both sides have sent their FIN it is NEW, and NAT's rules are asked again."""
    port = next(PORTS)
    with connection(routed, port) as ends:
        (running,) = once_more(routed, port)
        for end in ("server", "client"):
            ends[end].shutdown(socket.SHUT_WR)
            ends["client" if end == "server" else "server"].recv(1)
    wait_for(routed, port, "TIME_WAIT")

    (anew,) = once_more(routed, port)
    seen = becomes(routed, port)

    assert (running.packet.dport, running.ending.verdict) == (OLD, Verdict.DELIVERED)
    assert (anew.packet.dport, anew.ending.verdict) == (NEW, Verdict.DELIVERED)
    assert seen == "reached"


@pytest.mark.parametrize(("end", "expected"), [("client", "reached"), ("server", "refused")])
def test_whether_a_syn_opens_a_reset_connection_anew_is_not_to_be_seen(
    routed: Lab, end: str, expected: str
) -> None:
    """It does where its own side has sent the reset, else it goes where nobody listens any more: the walk tells both."""
    port = next(PORTS)
    with connection(routed, port) as ends:
        ends[end].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ends[end].close()
        wait_for(routed, port, "CLOSE")

    paths = once_more(routed, port)
    seen = becomes(routed, port)

    assert {(path.packet.dport, path.ending.verdict) for path in paths} == {
        (OLD, Verdict.REFUSED),
        (NEW, Verdict.DELIVERED),
    }
    assert all(path.weight is None and any("anew" in text for text in assumptions(path)) for path in paths)
    assert seen == expected
