"""One visit of a packet to a network namespace, and how it leaves again."""

from dataclasses import dataclass, replace
from fractions import Fraction

from kubectl_packetpath.packet import Address, Connection, Flow, Packet
from kubectl_packetpath.snapshot.ipvs import IpvsConnection
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.state import NamespaceState, NodeState
from kubectl_packetpath.trace import Outcome, Step, StepKind, told
from kubectl_packetpath.walk.here import Here, Hook, scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The namespace that is visited, with what earlier packets of this question left there."""

    node: NodeState
    state: NamespaceState
    connections: tuple[Connection, ...] = ()
    balanced: tuple[IpvsConnection, ...] = ()
    own: tuple[Flow, ...] = ()
    """Flows that sockets of this namespace have begun."""
    ask_table: bool = False

    def here(
        self,
        hook: Hook,
        *,
        in_device: Link | None = None,
        out_device: Link | None = None,
        physical_in: Link | None = None,
        physical_out: Link | None = None,
    ) -> Here:
        """The view that rules at this hook have."""
        return Here(
            node=self.node.name,
            state=self.state,
            kernel=self.node.kernel,
            hook=hook,
            in_device=in_device,
            out_device=out_device,
            physical_in=physical_in,
            physical_out=physical_out,
            connections=self.connections,
            balanced=self.balanced,
            ask_table=self.ask_table,
        )

    @property
    def title(self) -> str:
        """`host`, the pod as `namespace/name`, or the number of a namespace that nobody claims."""
        if self.state.is_host:
            return "host"
        pod = self.state.pod
        if pod is not None and pod.name:
            return f"{pod.namespace}/{pod.name}"
        return f"pod {pod.uid}" if pod is not None and pod.uid else f"netns {self.state.identity}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """One branch at the end of a visit: ended, or on its way out by a device."""

    outcome: Outcome
    device: Link | None = None
    """None: it ended here."""
    next_hop: Address | None = None
    """The gateway; None where the destination itself is the neighbour, and for bridged frames."""
    bridged: bool = False
    """The frame has been given to a port by a bridge; a routed packet still has to pass one."""
    into: NamespaceState | None = None
    """The namespace of the device, where that is not this one: a device that shares the wire takes the frame."""
    secured: bool = False
    """IPsec has encrypted it: the outer packet has to find its way."""
    comes_in: bool = False
    """It does not leave by the device but comes in by it: a tunnel has unwrapped it."""
    sent_on: bool = False
    """IPVS has taken it out of its hook and sends it on to a server by itself."""
    came_by: "Ports | None" = None
    """Of such a packet: by which device it came in; None for one of this namespace's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The devices by which a packet came in: as IP sees them, and as the bridge sees them."""

    device: Link
    physical: Link | None = None
    """The port of the bridge `device`."""
    prerouted: bool = False
    """br_netfilter has already called PREROUTING."""
    looped: bool = False
    """It came over loopback with its route and its connection."""
    header: tuple[int, int] | None = None
    """Its time to live and its type of service as it came; None: a socket of this node sent it."""


def noted(outcome: Outcome, step: Step, weight: Fraction | None = Fraction(1)) -> Outcome:
    """The outcome with one more step, and its share."""
    return replace(outcome, history=told(outcome.history, step), weight=scaled(outcome.weight, weight))


def assumed(outcome: Outcome, text: str) -> Outcome:
    """The outcome below one more assumption; said once."""
    if outcome.history is not None and any(step.text == text for step in outcome.history):
        return replace(outcome, weight=None)
    return noted(outcome, Step(kind=StepKind.ASSUMED, text=text), None)


def with_packet(outcome: Outcome, packet: Packet) -> Outcome:
    """The outcome with the packet replaced."""
    return replace(outcome, packet=packet)


def below(parent: Outcome, child: Outcome) -> Outcome:
    """A stage's outcome as a branch of the outcome that it was given."""
    return replace(child, weight=scaled(parent.weight, child.weight))
