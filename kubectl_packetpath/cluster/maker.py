"""From where the questions of one wish start, and what is said beside them.

Inside it is a pod of each node, or the one that the wish names; outside somebody whose packets come in at a node.

Kubernetes: https://kubernetes.io/docs/reference/networking/virtual-ips/
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from kubectl_packetpath.cluster.ask import TargetKind, find_node, find_pod
from kubectl_packetpath.cluster.clouds.base import Balancer
from kubectl_packetpath.cluster.model import Cluster, Node, Service
from kubectl_packetpath.cluster.question import Question, Start, Wish
from kubectl_packetpath.cluster.starts import start_on
from kubectl_packetpath.packet import Address

SOMEBODY = {4: ip_address("203.0.113.1"), 6: ip_address("2001:db8::1")}
"""Stand for any client outside: addresses that documentation may use and nobody has."""


@dataclass(slots=True, kw_only=True)
class Maker:
    """Makes the questions of one wish."""

    cluster: Cluster
    wish: Wish
    notes: list[str] = field(default_factory=list)
    balancer: Balancer | None = None
    """The cloud's load balancer in front of the Service."""

    @property
    def is_outside(self) -> bool:
        """Whether packets from outside are asked about."""
        return self.wish.start is None or self.wish.start.kind is TargetKind.OUTSIDE

    def entries(self) -> tuple[Node, ...]:
        """The nodes at which packets may come in."""
        if self.wish.nodes:
            return tuple(find_node(self.cluster, name) for name in self.wish.nodes)
        return self.cluster.nodes

    def inside(self, service: Service | None, version: int) -> Iterator[Start]:
        """Starts inside of the cluster that can speak this IP version."""
        given = self.wish.start
        if given is None:
            for node in self.entries():
                start = start_on(self.cluster, node, service, version)
                if start is not None:
                    yield start
        elif given.kind is TargetKind.POD:
            pod = find_pod(self.cluster, given)
            if pod.host_network:
                self.note(f"Pod {pod.full_name} uses the network of its node: asked as node/{pod.node}.")
                yield Start(kind=TargetKind.NODE, node=pod.node)
            elif any(address.version == version for address in pod.addresses):
                yield Start(kind=TargetKind.POD, node=pod.node, pod=pod)
        elif given.kind is TargetKind.NODE:
            node = find_node(self.cluster, given.name)
            if node.address(version) is not None:
                yield Start(kind=TargetKind.NODE, node=node.name)

    def outside(self, version: int) -> Iterator[tuple[Start, Address]]:
        """Starts outside, each with the address of the node by which it comes."""
        given = self.wish.start
        if given is not None and given.kind is not TargetKind.OUTSIDE:
            return
        client = given.address if given is not None and given.address is not None else SOMEBODY[version]
        if client.version != version:
            return
        for node in self.entries():
            arrives_at = node.address(version)
            if arrives_at is not None:
                yield Start(kind=TargetKind.OUTSIDE, node=node.name, address=client), arrives_at

    def enter_at(self, node: Node) -> None:
        """What comes from outside to a node's own address comes in there, unless the user names other nodes."""
        given = self.wish.start
        if given is not None and given.kind is TargetKind.OUTSIDE and not self.wish.nodes:
            self.wish = replace(self.wish, nodes=(node.name,))

    def note(self, text: str) -> None:
        """Say something once."""
        if text not in self.notes:
            self.notes.append(text)

    def from_everywhere(self, question: Question, service: Service | None = None) -> Iterator[Question]:
        """The same destination from all starts inside, or from outside where that was asked for."""
        version = question.destination.version
        given = self.wish.start
        if given is not None and given.kind is TargetKind.OUTSIDE:
            for start, arrives_at in self.outside(version):
                yield replace(question, start=start, arrives_at=arrives_at)
            return
        for start in self.inside(service, version):
            yield replace(question, start=start, doubt="")
