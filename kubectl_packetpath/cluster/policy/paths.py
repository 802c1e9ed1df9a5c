"""The flow of a path, as policies see it: from a trace's packets back to pods, nodes and addresses.

A Service's address has become an endpoint's by the time that policies are asked; a proxy in the pod itself may still
change the port after that. So the flow is what the nodes' own namespaces carry, after their last rewrite.
"""

from dataclasses import dataclass

from kubectl_packetpath.cluster.model import Cluster
from kubectl_packetpath.cluster.policy.flow import Party, PolicyFlow
from kubectl_packetpath.cluster.question import Question
from kubectl_packetpath.packet import PROTOCOL_NAMES, Address, Packet
from kubectl_packetpath.trace import Hop, Path, StepKind

HOST = "host"
OF_SERVICES = frozenset({"ClusterIP", "NodePort", "LoadBalancer", "ExternalIP"})
"""Ways in whose destination is no end: until it is rewritten, nobody knows which pod is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Carried:
    """A packet as the nodes carry it."""

    packet: Packet
    """As it comes to the pod's door, or to the end of its way."""
    arriving: Packet
    """As it comes to the last node, before that node changes it."""
    sender: str
    """The node before the last one; empty: there is none."""


def flow_of(question: Question, sent: Packet, path: Path, cluster: Cluster) -> PolicyFlow | None:
    """The flow to judge; None where the path ends before it is known where it leads."""
    carried = _carried(sent, path)
    source = _source(question, carried, cluster)
    destination = _party(carried.packet.destination, cluster)
    asked = question.destination if question.destination != carried.packet.destination else None
    if asked is None and question.way in OF_SERVICES:
        return None
    return PolicyFlow(
        source=source,
        destination=destination,
        protocol=PROTOCOL_NAMES.get(carried.packet.protocol, str(carried.packet.protocol)).upper(),
        port=carried.packet.dport,
        seen_as=_seen_as(source, carried, cluster),
        asked=asked,
    )


def _carried(sent: Packet, path: Path) -> _Carried:
    """Follow the packet through the nodes' own namespaces, up to the door of the last pod."""
    hops = path.hops
    if len(hops) > 1 and hops[-1].namespace != HOST:
        hops = hops[:-1]
    last = hops[-1].node
    before = [number for number, hop in enumerate(hops) if hop.node != last]
    door = before[-1] + 1 if before else int(hops[0].namespace != HOST)
    packet = arriving = _originated(hops[0], sent)
    for number, hop in enumerate(hops):
        if number == door:
            arriving = packet
        packet = _after(hop, packet)
    if door >= len(hops):
        arriving = packet
    return _Carried(
        packet=_inner(packet), arriving=_inner(arriving), sender=hops[before[-1]].node if before else ""
    )


def _originated(hop: Hop, sent: Packet) -> Packet:
    """The packet as its sender's kernel made it."""
    first = next(iter(hop.steps), None)
    made = first is not None and first.kind is StepKind.ORIGINATED
    return first.after if made and first is not None and first.after is not None else sent


def _after(hop: Hop, packet: Packet) -> Packet:
    return next((step.after for step in reversed(hop.steps) if step.after is not None), packet)


def _inner(packet: Packet) -> Packet:
    while packet.inner is not None:
        packet = packet.inner
    return packet


def _source(question: Question, carried: _Carried, cluster: Cluster) -> Party:
    start = question.start
    if start.pod is not None:
        version = question.destination.version
        own = next((each for each in start.pod.addresses if each.version == version), None)
        return Party(address=own, pod=start.pod, node=start.node)
    if start.address is not None:
        return _party(start.address, cluster)
    seen = carried.arriving.source
    return Party(address=None if seen.is_unspecified else seen, node=start.node)


def _party(address: Address, cluster: Cluster) -> Party:
    pod = cluster.pod_with(address)
    if pod is not None:
        return Party(address=address, pod=pod, node=pod.node)
    node = cluster.node_with(address)
    if node is not None:
        return Party(address=address, node=node.name)
    hidden = any(address in network for each in cluster.nodes for network in each.pod_networks)
    return Party(address=address, hidden=hidden)


def _seen_as(source: Party, carried: _Carried, cluster: Cluster) -> Party | None:
    """The source with the address that an earlier node gave it."""
    seen = carried.arriving.source
    if not carried.sender or seen.is_unspecified or seen == source.address or source.address is None:
        return None
    node = cluster.node_with(seen)
    return Party(
        address=seen,
        node=node.name if node is not None else carried.sender,
        really=str(source) if source.pod is None else f"{source} ({source.address})",
    )
