"""What a tunnel device makes of a packet: another packet of this host's own, which still has to find its way."""

from dataclasses import dataclass, replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.trace import Ending, Fact, Outcome, Step, StepKind, Verdict
from kubectl_packetpath.walk.here import ended
from kubectl_packetpath.walk.place import Departure, Place, noted, with_packet


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapping:
    """A packet that a tunnel device was given, and what it makes of it."""

    outcome: Outcome
    """The packet as it was given, or its end."""
    tunnel: Link
    outer: Packet | None = None
    """The packet around it; its source is unspecified where routing chooses it. None: it ended."""
    bound_to: Link | None = None
    """The device by which the outer packet must leave."""
    mark: int | None = None
    """The mark by which its route is looked up; None: its own."""
    because: tuple[Fact, ...] = ()


def noted_wrapping(wrapping: Wrapping, outer: Packet) -> Outcome:
    """The outcome with the outer packet, its source chosen."""
    encrypted = outer.sealed is not None
    verb = "encrypts" if encrypted else "wraps"
    step = Step(
        kind=StepKind.ENCRYPTED if encrypted else StepKind.ENCAPSULATED,
        text=f"{wrapping.tunnel.name} {verb} it ({outer.wrapping}): {_ends(outer)}",
        because=wrapping.because,
        before=wrapping.outcome.packet,
        after=outer,
    )
    return with_packet(noted(wrapping.outcome, step), outer)


def unwrapped(
    outcome: Outcome, device: Link, because: tuple[Fact, ...] = (), *, mark: int | None = None
) -> Departure:
    """The inner packet comes in by the tunnel device, with the mark of the outer one and without its connection."""
    outer = outcome.packet
    if outer.inner is None:
        raise ValueError("nothing to unwrap")
    mark = outer.mark if mark is None else mark
    inner = replace(outer.inner, mark=mark, connection=None, uid=None, gid=None)
    encrypted = outer.sealed is not None
    verb = "decrypts" if encrypted else "unwraps"
    step = Step(
        kind=StepKind.DECRYPTED if encrypted else StepKind.DECAPSULATED,
        text=f"{device.name} {verb} it ({outer.wrapping})",
        because=because,
        before=outer,
        after=inner,
    )
    return Departure(outcome=with_packet(noted(outcome, step), inner), device=device, comes_in=True)


def lost(
    outcome: Outcome,
    reason: str,
    because: tuple[Fact, ...] = (),
    *,
    remedy: str = "",
    place: Place | None = None,
) -> Outcome:
    """A tunnel device takes a packet and sends nothing, or takes nothing."""
    text = f"{place.node.name}: {reason}" if place is not None else reason
    ending = Ending(verdict=Verdict.DROPPED, reason=text, remedy=remedy)
    return ended(outcome, ending, kind=StepKind.DROPPED, because=because)


def _ends(outer: Packet) -> str:
    port = f" port {outer.dport}" if outer.dport is not None else ""
    return f"{outer.source} → {outer.destination}{port}"
