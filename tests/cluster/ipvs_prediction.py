"""What the walk says of a cluster in IPVS mode, from the state of its nodes' kernels, and what real connections do there."""

import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from ipaddress import ip_address

from cluster.vm_stage import NODES, SPACE, Stage

from kubectl_packetpath.packet import PROTOCOL_NUMBERS, TCP, TCP_SYN, Packet
from kubectl_packetpath.snapshot import PodReference
from kubectl_packetpath.snapshot.codec import decode
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.snapshot.state import NodeState
from kubectl_packetpath.trace import Path, Verdict
from kubectl_packetpath.walk.cluster import Cluster as Nodes
from kubectl_packetpath.walk.cluster import Place, PlaceKind, Query, trace
from kubectl_packetpath.walk.underlay import Underlay
from testbed.addresses import Address
from testbed.cluster import Cluster
from testbed.control import Node
from testbed.control import Place as Source
from testbed.traffic import Protocol, Reached, Refused, Result, attempt
from testbed.waiting import wait_until

CONNECTIONS = 40
ANY = {4: ip_address("0.0.0.0"), 6: ip_address("::")}
SYNCED = re.compile(r"^kubeproxy_sync_proxy_rules_last_timestamp_seconds\{.*\} (\S+)$", re.MULTILINE)
Ends = dict[tuple[str, ...], Fraction | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What both nodes' kernels hold at one moment."""

    stage: Stage
    states: Mapping[str, NodeState]
    names: Mapping[Address, str]
    """Who answers at the addresses of servers."""

    def from_pod(self, node: str) -> Place:
        """The server's pod on this node as a client."""
        reference = PodReference(namespace=SPACE, name=f"on-{node}")
        addresses = tuple(self.stage.pods[node].address(v) for v in self.stage.cluster.plan.versions)
        return Place(kind=PlaceKind.POD, node=node, pod=reference, addresses=addresses)

    def said(self, place: Place, packet: Packet) -> Ends:
        """How each way ends, and how often: reached, by whom and from which address; refused; or lost."""
        ends: Ends = {}
        for path in self.paths(place, packet):
            before = ends.get(self._end(path), Fraction(0))
            ends[self._end(path)] = None if before is None or path.weight is None else before + path.weight
        return ends

    def verdicts(self, place: Place, packet: Packet) -> set[Verdict]:
        """How the ways end, whoever is there."""
        return {path.ending.verdict for path in self.paths(place, packet)}

    def paths(self, place: Place, packet: Packet) -> tuple[Path, ...]:
        """All ways of a packet."""
        cluster = self.stage.cluster
        versions = cluster.plan.versions
        nodes = {cluster.node(name).address(version): name for name in NODES for version in versions}
        pods = {pod.address(v): name for name, pod in self.stage.pods.items() for v in versions}
        world = Nodes(nodes=self.states, underlay=Underlay(nodes=nodes, pods=pods))
        return trace(Query(title="", place=place, packet=packet), world).paths

    def _end(self, path: Path) -> tuple[str, ...]:
        if path.ending.verdict is Verdict.DELIVERED:
            answered = path.reply is not None and path.reply.ending.verdict.family == "arrived"
            if not answered:
                return ("lost",)
            return "reached", self.names[path.packet.destination], str(path.packet.source)
        if path.ending.verdict in {Verdict.REFUSED, Verdict.REJECTED, Verdict.NO_BACKEND}:
            return ("refused",)
        return ("unknown", path.ending.reason) if path.ending.verdict is Verdict.UNKNOWN else ("lost",)


def world_of(stage: Stage, names: Mapping[Address, str] | None = None) -> World:
    """Read both nodes now; `names` are of servers beside those of the stage."""
    own = {pod.address(v): pod.name for pod in stage.pods.values() for v in stage.cluster.plan.versions}
    states = {name: _read(stage.cluster, name) for name in NODES}
    return World(stage=stage, states=states, names=own | dict(names or {}))


def _read(cluster: Cluster, node: str) -> NodeState:
    agent = [sys.executable, "-m", "packetpath_agent", "snapshot", "--node", node]
    command = [*cluster.node(node).prefix, *agent]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=240)
    return RecordedNode(decode(done.stdout))


def wait_for_sync(nodes: Iterable[Node], since: float | None = None) -> None:
    """Until each kube-proxy has ended what it was programming then (a Unix time) or now.

    It fills its sets after its virtual servers.
    """
    then = time.time() if since is None else since
    for node in nodes:
        wait_until(f"{node.name} has programmed all", partial(_has_synced, node, then))


def _has_synced(node: Node, since: float) -> bool:
    told = node.attempt(["curl", "-s", "http://127.0.0.1:10249/metrics"])
    ended = [float(each) for each in SYNCED.findall(told.out)]
    return bool(ended) and min(ended) > since


def seen(
    source: Source, address: Address, port: int, protocol: Protocol = "tcp", *, count: int = CONNECTIONS
) -> Ends:
    """The same of real connections."""
    ends = Counter(map(_seen, attempt(source, address, port, protocol, count=count)))
    return {end: Fraction(times, count) for end, times in ends.items()}


def _seen(result: Result) -> tuple[str, ...]:
    if isinstance(result, Reached):
        return "reached", str(result.pod), str(result.client_address)
    return ("refused",) if isinstance(result, Refused) else ("lost",)


def asked(address: Address, port: int, protocol: Protocol = "tcp", source: Address | None = None) -> Packet:
    """The first packet of a connection; its sender's kernel chooses the source, if nobody else does."""
    number = PROTOCOL_NUMBERS[protocol]
    return Packet(
        source=source or ANY[address.version],
        destination=address,
        protocol=number,
        sport=40000,
        dport=port,
        tcp_flags=TCP_SYN if number == TCP else 0,
        sport_chosen=True,
    )
