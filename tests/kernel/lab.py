"""A few connected network namespaces as one "node", real traffic in them, and the same traffic walked."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from kubectl_packetpath.packet import PROTOCOL_NUMBERS, TCP, TCP_SYN, Packet
from kubectl_packetpath.snapshot import PodReference
from kubectl_packetpath.snapshot.state import NamespaceState, NodeState
from kubectl_packetpath.trace import StepKind, Verdict
from kubectl_packetpath.walk import explore
from kubectl_packetpath.walk.answers import answer_to
from packetpath_agent.live import LiveNamespace
from packetpath_agent.netns import Found, inside, peers
from testbed.netns import OWN, Namespace, namespaces_named, succeed

PROBE = Path(__file__).with_name("probe.py")
QUIET = {"net/ipv4/conf/all/rp_filter": 0, "net/ipv4/conf/default/rp_filter": 0}


@dataclass(slots=True)
class Lab:
    """Namespaces that belong together; the first one made is the node's own."""

    name: str
    namespaces: dict[str, Namespace] = field(default_factory=dict)
    servers: list[subprocess.Popen[str]] = field(default_factory=list)

    def add(self, *names: str) -> None:
        """Make namespaces."""
        for name in names:
            namespace = Namespace(name=f"{OWN}{self.name}-{name}")
            if namespace.exists():
                namespace.delete()
            namespace.create()
            namespace.sysctls({**QUIET, "net/ipv6/conf/default/accept_dad": 0})
            self.namespaces[name] = namespace

    def __getitem__(self, name: str) -> Namespace:
        """The namespace of that name."""
        return self.namespaces[name]

    def connect(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        """A veth between two namespaces: (namespace, device) each, both ends up."""
        here, there = self[one[0]], self[other[0]]
        here.ip(
            f"link add {one[1]} type veth peer name {other[1]} netns {there.name}", f"link set {one[1]} up"
        )
        there.ip(f"link set {other[1]} up")

    def serve(self, name: str, *places: str) -> None:
        """Listen in a namespace: for example `udp:10.0.0.1@53`."""
        command = [*self[name].enter, sys.executable, str(PROBE), "serve", name, *places]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.servers.append(server)
        if server.stdout is None or server.stdout.readline() != "ready\n":
            raise RuntimeError(f"the server in {name} did not start")

    def reach(
        self,
        name: str,
        target: str,
        port: int,
        protocol: str = "tcp",
        sport: int = 0,
        *,
        seconds: float = 2.0,
    ) -> dict[str, Any]:
        """Try it for real."""
        command = [
            *self[name].enter,
            sys.executable,
            str(PROBE),
            "reach",
            protocol,
            target,
            str(port),
            str(sport),
            str(seconds),
        ]
        answer: dict[str, Any] = json.loads(succeed(command))
        return answer

    def load(self, name: str, program: str, rules: str) -> None:
        """Load rules by `iptables-legacy-restore`, `iptables-nft-restore`, or `nft -f -`."""
        command = [*self[name].enter, *program.split()]
        succeed(command, stdin=rules)

    @contextmanager
    def node(self) -> Iterator[NodeState]:
        """The state of all namespaces, read anew."""
        node = LabNode(self.name, self.namespaces)
        try:
            yield node
        finally:
            node.close()

    def close(self) -> None:
        """Stop what was started and remove what was made."""
        for server in self.servers:
            server.terminate()
            server.wait()
            if server.stdout is not None:
                server.stdout.close()
        for namespace in self.namespaces.values():
            namespace.delete()


class LabNode:
    """All namespaces of a lab, read by the agent's own reader; the first is the host."""

    kernel = ""

    def __init__(self, name: str, namespaces: dict[str, Namespace]) -> None:
        self.name = name
        self.states: dict[int, LiveNamespace] = {}
        for short, namespace in namespaces.items():
            found = Found(identity=identity(namespace), path=namespace.path, name=namespace.name)
            pod = PodReference(namespace="lab", name=short) if self.states else None
            self.states[found.identity] = LiveNamespace(found, is_host=not self.states, pod=pod)
        for state in self.states.values():
            others = {s.identity: s.descriptor for s in self.states.values() if s is not state}
            with inside(state.descriptor):
                state.set_peers(peers(others))

    def close(self) -> None:
        """Let go of the namespaces."""
        for state in self.states.values():
            state.close()

    def host(self) -> NamespaceState:
        """The first one."""
        return next(iter(self.states.values()))

    def namespace(self, identity: int) -> NamespaceState | None:
        """By inode number."""
        return self.states.get(identity)

    def namespaces(self) -> tuple[NamespaceState, ...]:
        """All."""
        return tuple(self.states.values())


@contextmanager
def lab(name: str) -> Iterator[Lab]:
    """A lab that is gone afterwards, whatever happens."""
    for leftover in namespaces_named(f"{OWN}{name}-"):
        leftover.delete()
    made = Lab(name=name)
    try:
        yield made
    finally:
        made.close()


def identity(namespace: Namespace) -> int:
    """The inode number by which the kernel knows it."""
    return namespace.path.stat().st_ino


def question(target: str, port: int, protocol: str = "tcp", sport: int = 40000) -> Packet:
    """The first packet of a connection whose source the kernel chooses."""
    destination = ip_address(target)
    source = ip_address("0.0.0.0" if destination.version == 4 else "::")
    number = PROTOCOL_NUMBERS[protocol]
    flags = TCP_SYN if number == TCP else 0
    return Packet(
        source=source,
        destination=destination,
        protocol=number,
        sport=sport,
        dport=port,
        tcp_flags=flags,
        uid=0,
        gid=0,
    )


def walk(made: Lab, name: str, packet: Packet, *, ask_table: bool = False) -> list[explore.NodePath]:
    """All paths of a packet that a socket of this namespace sends."""
    start = explore.Originated(namespace=identity(made[name]), packet=packet)
    with made.node() as node:
        return list(explore.run(node, start, ask_table=ask_table))


def answer(made: Lab, path: explore.NodePath) -> list[explore.NodePath]:
    """All paths of the answer to a packet that was delivered."""
    with made.node() as node:
        packet = answer_to(path.packet, node.namespace(path.namespace))
        start = explore.Originated(namespace=path.namespace, packet=packet)
        return list(explore.run(node, start, path.connections))


def predicted(
    made: Lab, name: str, target: str, port: int, protocol: str = "tcp"
) -> set[tuple[str, str, str]]:
    """What the walk says a client will see: (result, server, client address), answers included."""
    results = set()
    for path in walk(made, name, question(target, port, protocol)):
        if path.ending.verdict is not Verdict.DELIVERED:
            results.add((_seen_as(path.ending.verdict), "", ""))
            continue
        server = next(n for n, ns in made.namespaces.items() if identity(ns) == path.namespace)
        for back in answer(made, path):
            if back.ending.verdict is Verdict.DELIVERED:
                results.add(("reached", server, str(path.packet.source)))
            else:
                results.add(("timeout", "", ""))
    return results


def assumptions(path: explore.NodePath) -> list[str]:
    """What the walk took for granted on this path, in words."""
    return [step.text for hop in path.hops for step in hop.steps if step.kind is StepKind.ASSUMED]


def _seen_as(verdict: Verdict) -> str:
    """How a client notices that its packet was lost."""
    if verdict in {Verdict.REFUSED, Verdict.REJECTED}:
        return "refused"
    return "unreachable" if verdict is Verdict.NO_ROUTE else "timeout"


def happened(made: Lab, name: str, target: str, port: int, protocol: str = "tcp") -> tuple[str, str, str]:
    """What a client really sees, in the same form."""
    seen = made.reach(name, target, port, protocol)
    return seen["result"], seen.get("name", ""), seen.get("client", "")
