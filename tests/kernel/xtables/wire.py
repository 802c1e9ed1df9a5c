"""A router between two wires, packets made by hand, and what its rules counted."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.xtables import LegacyTable
from kubectl_packetpath.snapshot.xtables_blob import index_blob
from kubectl_packetpath.trace import Outcome, StepKind
from kubectl_packetpath.walk.conntrack import track
from kubectl_packetpath.walk.here import Here, Hook
from kubectl_packetpath.walk.xtables.blob import counters_of
from kubectl_packetpath.walk.xtables.chains import run_base
from packetpath_agent.live import LiveNamespace
from packetpath_agent.netns import Found
from testbed.netns import OWN, Namespace, succeed

CLIENT, ROUTER, SERVER = (Namespace(name=f"{OWN}xt{name}") for name in ("client", "router", "server"))
CLIENT4, SERVER4, ROUTER4 = (ip_address(f"10.77.{each}") for each in ("1.2", "2.2", "1.1"))
CLIENT6, SERVER6, ROUTER6 = (ip_address(f"fd77:{each}") for each in ("1::2", "2::2", "1::1"))
MACS = {
    "c0": "02:00:00:00:01:02",
    "r0": "02:00:00:00:01:01",
    "r1": "02:00:00:00:02:01",
    "s0": "02:00:00:00:02:02",
}
SEND = """
import socket, sys
for line in sys.stdin:
    target, data = line.split()
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        raw.sendto(bytes.fromhex(data), (target, 0))
"""
DEADLINE_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A packet as bytes, and as the walk knows it where the router receives it."""

    name: str
    data: bytes
    packet: Packet


@contextmanager
def wires() -> Iterator[None]:
    """Client, router and a server that hears everything and answers nothing."""
    every = (CLIENT, ROUTER, SERVER)
    for namespace in every:
        if namespace.exists():
            namespace.delete()
        namespace.create()
    try:
        _connect()
        yield
    finally:
        for namespace in every:
            namespace.delete()


def _connect() -> None:
    for left, right, there in (("c0", "r0", CLIENT), ("s0", "r1", SERVER)):
        ROUTER.ip(
            f"link add {right} address {MACS[right]} type veth peer name {left} address {MACS[left]} netns {there.name}"
        )
    for namespace in (CLIENT, ROUTER, SERVER):
        values = {
            "net/ipv6/conf/default/accept_dad": 0,
            "net/ipv6/conf/all/accept_dad": 0,
            "net/ipv6/conf/all/forwarding": 1,
        }
        namespace.sysctls({**values, "net/ipv4/ip_forward": 1, "net/ipv4/conf/all/rp_filter": 0})
    for namespace, device, host, peer, peer_mac in (
        (CLIENT, "c0", "1.2 1::2", "1.1 1::1", MACS["r0"]),
        (SERVER, "s0", "2.2 2::2", "2.1 2::1", MACS["r1"]),
        (ROUTER, "r0", "1.1 1::1", "1.2 1::2", MACS["c0"]),
        (ROUTER, "r1", "2.1 2::1", "2.2 2::2", MACS["s0"]),
    ):
        own4, own6 = host.split()
        peer4, peer6 = peer.split()
        namespace.ip(
            f"addr add 10.77.{own4}/24 dev {device}",
            f"addr add fd77:{own6}/64 dev {device} nodad",
            f"link set {device} up",
            f"neigh replace 10.77.{peer4} lladdr {peer_mac} dev {device} nud permanent",
            f"neigh replace fd77:{peer6} lladdr {peer_mac} dev {device} nud permanent",
        )
        if namespace is not ROUTER:
            namespace.ip(f"route add default via 10.77.{peer4}", f"route add ::/0 via fd77:{peer6}")
    for program in ("iptables-legacy", "ip6tables-legacy"):
        succeed([*SERVER.enter, program, "-t", "raw", "-A", "PREROUTING", "-j", "DROP"])
        succeed([*CLIENT.enter, program, "-t", "raw", "-A", "PREROUTING", "-j", "DROP"])


def load(family: int, text: str) -> None:
    """Replace tables of the router."""
    program = "iptables-legacy-restore" if family == 4 else "ip6tables-legacy-restore"
    succeed([*ROUTER.enter, program], stdin=text)


@contextmanager
def router_state() -> Iterator[LiveNamespace]:
    """The router as its kernel is now."""
    found = Found(path=ROUTER.path, identity=ROUTER.path.stat().st_ino)
    state = LiveNamespace(found, is_host=True, pod=None)
    try:
        yield state
    finally:
        state.close()


def device(state: LiveNamespace, name: str) -> Link:
    """A device of the router."""
    links = state.links()
    assert not isinstance(links, Absent)
    return next(link for link in links if link.name == name)


def table_of(state: LiveNamespace, family: int, name: str) -> LegacyTable:
    """A loaded table."""
    tables = state.legacy_tables()
    assert not isinstance(tables, Absent)
    return next(table for table in tables if (table.family, table.name) == (family, name))


def predicted(sent: Sent, table: str, hook: Hook) -> list[Outcome]:
    """What the walk says of one table's chain at a hook."""
    with router_state() as state:
        came, goes = device(state, "r0"), device(state, "r1")
        here = Here(
            node="router",
            state=state,
            hook=hook,
            in_device=came if hook in {Hook.PREROUTING, Hook.FORWARD, Hook.INPUT} else None,
            out_device=goes if hook in {Hook.FORWARD, Hook.POSTROUTING} else None,
        )
        (tracked,) = track(here, sent.packet, None)
        packet = tracked.packet
        return list(run_base(here, packet.family, table_of(state, packet.family, table), packet, None))


def facts_of(outcome: Outcome) -> set[str]:
    """`CHAIN/NUMBER` of the rules that the packet met."""
    steps = outcome.history or ()
    keys = (
        fact.key.partition("/")[2]
        for step in steps
        if step.kind is not StepKind.ASSUMED
        for fact in step.because
    )
    return {key for key in keys if not key.endswith("/policy")}


def send(sent: Sent) -> None:
    """Put the packet on the client's wire."""
    line = f"{sent.packet.destination} {sent.data.hex()}\n"
    command = [*CLIENT.enter, sys.executable, "-c", SEND]
    subprocess.run(command, input=line, text=True, check=True, timeout=30)


def counted(family: int, table: str) -> dict[str, int]:
    """Packets per rule of the router, `CHAIN/NUMBER`, the chains' own last entries left out."""
    with router_state() as state:
        found = table_of(state, family, table)
        assert found.blob is not None
        counts = {}
        for offset in index_blob(family, found.blob, found.hook_entry, found.underflow):
            chain = state.legacy_chain(family, table, offset)
            assert not isinstance(chain, Absent)
            for number, raw in enumerate(chain.rules[:-1], start=1):
                counts[f"{chain.name}/{number}"] = counters_of(family, raw)[0]
        return counts


def zero(family: int, table: str) -> None:
    """Forget what was counted."""
    program = "iptables-legacy" if family == 4 else "ip6tables-legacy"
    succeed([*ROUTER.enter, program, "-t", table, "-Z"])


def observed(sent: Sent, table: str, sentinel: str) -> set[str]:
    """The rules that really counted the packet."""
    family = sent.packet.family
    zero(family, table)
    send(sent)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        counts = counted(family, table)
        if counts[sentinel]:
            return {rule for rule, packets in counts.items() if packets}
    raise TimeoutError(f"{sent.name} did not arrive")
