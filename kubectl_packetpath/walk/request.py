"""What a client asks of an agent: walks over one node, whose touched state comes back."""

from dataclasses import dataclass

from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot import PodReference
from kubectl_packetpath.snapshot.conntrack import FlowFilter
from kubectl_packetpath.walk.explore import Connections, Originated, ReceivedOn


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """One packet through one node."""

    start: ReceivedOn | Originated
    connections: Connections
    ask_table: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A pod whose resolver's configuration is asked for, and its node's beside it."""

    pod: PodReference
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A question to an agent."""

    what: str
    """`base`: the small tables of the node, and which namespaces there are. `walks`: what these walks touch.
    `snapshot`: everything."""
    walks: tuple[Walk, ...] = ()
    flows: tuple[FlowFilter, ...] = ()
    """Existing connections of the node's own namespace to count besides."""
    resolvers: tuple[Client, ...] = ()
    """Pods whose /etc/resolv.conf to read besides; agents that know nothing of it refuse the request."""


ANSWER, PROBLEM = b"A", b"E"
"""First byte of an answer's frame: a snapshot follows, or a sentence."""
