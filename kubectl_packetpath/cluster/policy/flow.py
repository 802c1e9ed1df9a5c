"""A flow as policies see it: two ends, a protocol and the destination's port.

A Service's address is gone by then. Policies speak of pods, and where a packet's addresses are rewritten the API
leaves open what they see: judged is what arrives at the pod's node, and it is said so.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from dataclasses import dataclass

from kubectl_packetpath.cluster.model import Pod
from kubectl_packetpath.packet import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One end of a flow, by the word of the API."""

    address: Address | None = None
    """As the other end's policies see it; None: not known."""
    pod: Pod | None = None
    node: str = ""
    """The node that it is on, or is itself."""
    really: str = ""
    """Set where it arrives with another's address, so that no selector can find it: who it really is."""

    hidden: bool = False
    """Its address is a pod's, but of none that may be looked at."""

    @property
    def network_pod(self) -> Pod | None:
        """The pod, where it has an address to itself."""
        return self.pod if self.pod is not None and not self.pod.host_network else None

    @property
    def is_node(self) -> bool:
        """A program on the node itself, or a pod with the node's network."""
        return bool(self.node) and self.network_pod is None

    def __str__(self) -> str:
        """For people."""
        if self.pod is not None:
            return f"pod {self.pod.full_name}"
        if self.node and not self.really:
            return f"node {self.node}"
        return str(self.address or "an address that is not known")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFlow:
    """A new connection, to be judged."""

    source: Party
    destination: Party
    protocol: str = "TCP"
    """TCP, UDP, SCTP, or another name, of which policies say nothing."""
    port: int | None = None
    """Where the destination takes it: a container's port, not a Service's."""
    seen_as: Party | None = None
    """The source as it arrives at the destination's node, where its address was rewritten before that."""
    asked: Address | None = None
    """What the source asked for, where a Service's address became the destination's."""
