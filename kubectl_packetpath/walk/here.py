"""Where a stage stands: the namespace, the hook and the devices of the packet it looks at."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction

from kubectl_packetpath.packet import Connection, Packet
from kubectl_packetpath.snapshot.ipvs import IpvsConnection
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.trace import Ending, Fact, History, Outcome, Step, StepKind, Verdict, told


class Hook(IntEnum):
    """NF_INET_* numbers."""

    PREROUTING = 0
    INPUT = 1
    FORWARD = 2
    OUTPUT = 3
    POSTROUTING = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The place from which a rule sees the packet."""

    node: str
    state: NamespaceState
    kernel: str = ""
    """The node's, as `uname -r` prints it."""
    hook: Hook = Hook.PREROUTING
    in_device: Link | None = None
    """None at OUTPUT and at POSTROUTING of a local packet."""
    out_device: Link | None = None
    """None before routing and at INPUT."""
    physical_in: Link | None = None
    """The bridge port that a bridged packet came in by (`physdev`)."""
    physical_out: Link | None = None
    bridged: bool = False
    """The hook is called by br_netfilter or by a bridge chain, on a frame that stays in its bridge."""
    table_facts: tuple[Fact, ...] = field(default=())
    connections: tuple[Connection, ...] = ()
    """Connections that this very question has made here so far: its answer belongs to one of them."""
    balanced: tuple[IpvsConnection, ...] = ()
    """Likewise, those of IPVS."""
    ask_table: bool = False
    """Look into the node's connection table too; False: the question is about a new connection."""


def go_on(packet: Packet, history: History | None, weight: Fraction | None = Fraction(1)) -> Outcome:
    """The packet travels on."""
    return Outcome(weight=weight, packet=packet, history=history)


def ended(
    outcome: Outcome, ending: Ending, *, kind: StepKind = StepKind.LOST, because: tuple[Fact, ...] = ()
) -> Outcome:
    """The branch ends here; the reason becomes its last step."""
    step = Step(kind=kind, text=ending.reason, because=because)
    return Outcome(
        weight=outcome.weight, packet=outcome.packet, history=told(outcome.history, step), ending=ending
    )


def unknown(outcome: Outcome, place: str, because: tuple[Fact, ...] = ()) -> Outcome:
    """The walk cannot say what the kernel does here: the branch ends UNKNOWN at this place."""
    step = Step(kind=StepKind.ASSUMED, text=place, because=because)
    return Outcome(
        weight=None,
        packet=outcome.packet,
        history=told(outcome.history, step),
        ending=Ending(verdict=Verdict.UNKNOWN, reason=place),
    )


def total(weights: Iterable[Fraction | None]) -> Fraction | None:
    """The sum; None as soon as one of them is not known."""
    known = list(weights)
    return None if None in known else sum((each for each in known if each is not None), Fraction(0))


def scaled(weight: Fraction | None, share: Fraction | None) -> Fraction | None:
    """The share of a branch of a branch; None as soon as one of them is not known."""
    return None if weight is None or share is None else weight * share


Outcomes = Iterator[Outcome]
"""What a stage yields: every way that the packet may go on, weights summing to 1 unless assumed."""
