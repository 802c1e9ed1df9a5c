"""Matches and targets of iptables: what one is, and what it may answer.

A legacy entry and an nft `match` or `target` expression carry the same name, revision and bytes, so one
file per extension serves both. A match answers for a packet at a place:

- `True` or `False`: the kernel decides so for every such packet.
- `Chance(share)`: it holds for exactly this share of new connections (both branches go on, weighted).
- `Undecided(reason)`: it depends on time, load or something not recorded (both branches go on, assumed).

Kernel: include/uapi/linux/netfilter/x_tables.h
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Generic, Protocol, TypeVar

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.trace import Fact, History, Step, StepKind, told
from kubectl_packetpath.walk.here import Here, Outcomes, go_on


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """A match or target as the kernel holds it."""

    name: str
    revision: int
    data: bytes
    """The extension's own structure, padding included."""


@dataclass(frozen=True, slots=True)
class Chance:
    """The match holds for this share of new connections."""

    share: Fraction


@dataclass(frozen=True, slots=True)
class Undecided:
    """The match may hold or not; the reason is for people."""

    reason: str


Decision = bool | Chance | Undecided


def inverted(decision: Decision, invert: bool) -> Decision:
    """The answer of `!`."""
    if not invert or isinstance(decision, Undecided):
        return decision
    if isinstance(decision, Chance):
        return Chance(1 - decision.share)
    return not decision


def all_of(decisions: Iterable[Decision]) -> Decision:
    """Whether all hold; the first that certainly does not ends it, as in the kernel."""
    share, reasons = Fraction(1), []
    for decision in decisions:
        if decision is False:
            return False
        if isinstance(decision, Chance):
            share *= decision.share
        elif isinstance(decision, Undecided):
            reasons.append(decision.reason)
    if reasons:
        return Undecided("; ".join(reasons))
    return True if share == 1 else share > 0 and Chance(share)


S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


class Unpack(Protocol[S_co]):
    """How bytes become a specification."""

    def __call__(self, extension: Extension, family: int) -> S_co:
        """Read the kernel's structure; struct.error or ValueError where it is not one."""


Run = Callable[[S, Here, Packet, History | None, tuple[Fact, ...]], Outcomes]
"""What a target does: every outcome has an ending or says `continue`, `accept` or `return`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(Generic[S]):
    """One match, for one or several revisions."""

    name: str
    revisions: tuple[int, ...] = (0,)
    unpack: Unpack[S]
    holds: Callable[[S, Here, Packet], Decision]
    words: Callable[[S], str]
    """The options as `iptables-save` prints them after `-m NAME`."""
    naming: Callable[[S, NamespaceState], S] | None = None
    """Fill in names that the bytes do not hold (an ipset is known to a rule by its number)."""
    title: Callable[[S], str] | None = None
    """The name to print where it is not the kernel's (an alias)."""
    certainty: str = "exact"
    """`exact`, `forks` (chance, time or load decide), or what is not modelled, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Generic[S]):
    """One target, for one or several revisions."""

    name: str
    revisions: tuple[int, ...] = (0,)
    unpack: Unpack[S]
    run: Run[S]
    words: Callable[[S], str]
    """The options as `iptables-save` prints them after `-j NAME`."""
    naming: Callable[[S, NamespaceState], S] | None = None
    title: Callable[[S], str] | None = None
    observes: bool = False
    """It leaves the packet's way alone (LOG): a doubtful match before it needs no fork."""
    certainty: str = "exact"


BAD_BYTES = (struct.error, ValueError, IndexError)
"""What an `unpack` raises on bytes that are not the structure it knows."""


def marked(
    packet: Packet, changed: Packet, history: History | None, because: tuple[Fact, ...], text: str
) -> Outcomes:
    """The packet goes on with another mark, or another field that no translation touches."""
    if changed == packet:
        step = Step(kind=StepKind.MATCHED, text=f"{text} (as it was)", because=because)
    else:
        step = Step(kind=StepKind.MARKED, text=text, because=because, before=packet, after=changed)
    yield replace(go_on(changed, told(history, step)), verdict="continue")


def noted(
    packet: Packet, history: History | None, because: tuple[Fact, ...], text: str, verdict: str = "continue"
) -> Outcomes:
    """The rule applied, and the packet goes on as it was."""
    step = Step(kind=StepKind.MATCHED, text=text, because=because)
    yield replace(go_on(packet, told(history, step)), verdict=verdict)


AnyMatch = Match[Any]
AnyTarget = Target[Any]
