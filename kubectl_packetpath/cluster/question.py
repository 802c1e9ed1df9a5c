"""A question: one packet that a user may send, from where, to where, and who should take it."""

from dataclasses import dataclass

from kubectl_packetpath.cluster.ask import Target, TargetKind
from kubectl_packetpath.cluster.clouds.base import Balancer
from kubectl_packetpath.cluster.model import Pod, Service
from kubectl_packetpath.packet import PROTOCOL_NAMES, Address, endpoint

PROXIED = frozenset({"ClusterIP", "NodePort", "LoadBalancer", "ExternalIP"})
"""Ways in that a proxy has to translate."""

PACKET_BYTES = 60
"""The first packet of a TCP connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a packet starts: a pod, a node's own programs, or somebody outside by way of a node."""

    kind: TargetKind
    node: str
    pod: Pod | None = None
    address: Address | None = None
    """The client's address, for one outside."""
    label: str = ""
    """What to call it, where that is not plain from the rest."""

    @property
    def title(self) -> str:
        """For people."""
        if self.label:
            return self.label
        if self.pod is not None:
            return f"pod {self.pod.full_name} on {self.node}"
        if self.kind is TargetKind.NODE:
            return f"node {self.node}"
        return f"outside ({self.address})" + (f" through {self.node}" if self.node else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An endpoint that the API says takes connections."""

    address: Address
    port: int
    pod: str = ""
    node: str = ""
    abroad: bool = False
    """Nothing in the cluster has this address, as far as the API knows: packets to it have to leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One packet that a user may send."""

    way: str
    """ClusterIP, NodePort, LoadBalancer, ExternalIP, HealthCheck, Headless, Target, Pod, Node, Nameserver or Address."""
    subject: str = ""
    """What is asked about: `default/web:http`."""
    start: Start
    destination: Address
    protocol: int
    port: int
    arrives_at: Address | None = None
    """From outside: the node's address on the wire, where the destination is not the node's own."""
    expected: tuple[Expected, ...] = ()
    size_bytes: int = PACKET_BYTES
    """Length of the IP packet, which must not be cut."""
    nowhere: str = ""
    """Why no node takes packets for the destination; empty: some node does, or may."""
    doubt: str = ""
    """Why nothing can be said for certain of such a packet: how it comes in is assumed of somebody out of sight."""
    says: str = ""
    """What the server there answers, where the API tells that."""

    @property
    def target(self) -> str:
        """`ClusterIP 10.96.0.9:80/tcp`."""
        name = PROTOCOL_NAMES.get(self.protocol, str(self.protocol))
        return f"{self.way} {endpoint(self.destination, self.port or None)}/{name}"

    @property
    def title(self) -> str:
        """The whole question in one line."""
        return f"{self.start.title} to {self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user asks for, as typed and parsed."""

    target: Target
    start: Target | None = None
    """None: every start that makes sense."""
    nodes: tuple[str, ...] = ()
    """Only these as entries; empty: all."""
    protocol: str = ""
    """tcp, udp, sctp, or empty: whatever the target says."""
    size_bytes: int = PACKET_BYTES
    """Length of the IP packet, headers included."""
    with_budget: bool = False
    """Also find how long a packet may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """The questions, and what has to be said beside them."""

    questions: tuple[Question, ...]
    notes: tuple[str, ...] = ()
    service: Service | None = None
    balancer: Balancer | None = None
    """The cloud's load balancer in front of the Service."""
    with_budget: bool = False
    """Also find how long a packet may be, of every question."""
