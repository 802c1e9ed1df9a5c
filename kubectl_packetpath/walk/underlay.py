"""The network between the nodes, as far as the cluster knows it.

Nobody sees its switches and routers: what is certain are the addresses of the nodes at its ends. A packet
for a node's address gets there or the cluster would not be one; anything else is named as assumed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.links import InterfaceAddress, Link
from kubectl_packetpath.snapshot.state import NamespaceState, NotRecorded

T = TypeVar("T")
PRIVATE = {"bridge", "dummy"}
"""Devices whose addresses many nodes have alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Where a packet that left a node turns up."""

    node: str
    """Empty: outside of the cluster."""
    address: Address | None = None
    """The address of the node's device that takes it from the wire."""
    seen: bool = True
    """False: a router that nobody looked at is assumed to know the way."""
    through: Address | None = None
    """That router."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Underlay:
    """Who owns which address, by the word of the Kubernetes API."""

    nodes: Mapping[Address, str] = field(default_factory=dict)
    """Addresses of nodes."""
    pods: Mapping[Address, str] = field(default_factory=dict)
    """Addresses of pods and the node of each."""

    def arrival(self, destination: Address, next_hop: Address | None) -> Arrival:
        """Where a packet for this destination goes when it is handed to this neighbour."""
        neighbour = next_hop or destination
        if neighbour in self.nodes:
            return Arrival(node=self.nodes[neighbour], address=neighbour)
        if destination in self.nodes:
            return Arrival(node=self.nodes[destination], address=destination, through=neighbour)
        if destination in self.pods:
            node = self.pods[destination]
            own = next((a for a, name in self.nodes.items() if name == node), None)
            same_family = next(
                (a for a, name in self.nodes.items() if name == node and a.version == destination.version),
                own,
            )
            return Arrival(node=node, address=same_family, seen=False, through=neighbour)
        return Arrival(node="", through=next_hop)


def device_with(state: NamespaceState, address: Address) -> Link | None:
    """The device of a node that carries one of its addresses."""
    links, addresses = rows(state.links()), rows(state.addresses())
    owned = _owner(addresses, address)
    return None if owned is None else next((link for link in links if link.index == owned.link), None)


def carried(state: NamespaceState, address: Address) -> bool:
    """Whether this node is known to have the address on a device that leads to others."""
    try:
        device = device_with(state, address)
    except NotRecorded:
        return False
    return device is not None and device.is_up and not device.is_loopback and device.kind not in PRIVATE


def _owner(addresses: Iterable[InterfaceAddress], wanted: Address) -> InterfaceAddress | None:
    return next((entry for entry in addresses if entry.address == wanted), None)


def rows(section: tuple[T, ...] | Absent) -> tuple[T, ...]:
    """The rows of a section; none where it is absent."""
    return section if isinstance(section, tuple) else ()
