"""What the kernel did with a packet: whatever was seen of it, sorted by whose it is.

The observer's chains and the devices show every packet; those that are not the one that was sent are the router's answers.
"""

from dataclasses import dataclass, field

from fuzz.frames import Seen, is_the_shot
from fuzz.wire import Frame, Observed, Traced

from kubectl_packetpath.packet import ICMP, ICMPV6, TCP_SYN, Packet


@dataclass(slots=True, kw_only=True)
class Fate:
    """What was seen of the packet, in the walk's terms."""

    left: list[Frame] = field(default_factory=list)
    came_in: list[Traced] = field(default_factory=list)
    """It passed INPUT."""
    answers: list[Seen] = field(default_factory=list)
    """Packets that the router sent because of it, as they were before any rule."""
    datagrams: int = 0
    refused: str = ""
    rules: list[Traced] = field(default_factory=list)
    """The trace of the packet itself."""

    def __str__(self) -> str:
        """For people."""
        words = [f"left by {f.device}: {f.seen} mark {f.mark:#x} to {f.destination_mac}" for f in self.left]
        words += [f"came in: {t.seen} mark {t.mark:#x}" for t in self.came_in]
        words += [f"the router sent {seen}" for seen in self.answers]
        words += [f"{self.datagrams} datagrams reached a socket"] if self.datagrams else []
        words += [f"the sender was told: {self.refused}"] if self.refused else []
        return "; ".join(words) or "nothing was seen any more"


def fate_of(observed: Observed, packet: Packet, *, local: bool) -> Fate:
    """Sort what was seen by whose it is."""
    fate = Fate(datagrams=observed.datagrams, refused=observed.refused)
    whose: dict[int, Seen | None] = {}
    for traced in observed.traces:
        first = traced.seen is not None
        if first:
            whose[traced.id] = traced.seen
        seen = whose.get(traced.id)
        if seen is None:
            continue
        if _is_it(seen, packet, local=local):
            fate.rules.append(traced)
            if first and (traced.table, traced.chain) == ("observer", "in"):
                fate.came_in.append(traced)
        elif first and (traced.table, traced.chain) == ("observer", "out") and _may_answer(seen, packet):
            fate.answers.append(seen)
    for frame in observed.frames:
        _sort_frame(fate, frame, packet, local=local)
    return fate


def _sort_frame(fate: Fate, frame: Frame, packet: Packet, *, local: bool) -> None:
    """What a bridge sends is seen at its port once more."""
    if _is_it(frame.seen, packet, local=local):
        if frame.device != "br0":
            fate.left.append(frame)
    elif _may_answer(frame.seen, packet) and not any(_same_kind(frame.seen, each) for each in fate.answers):
        fate.answers.append(frame.seen)


def _may_answer(seen: Seen, packet: Packet) -> bool:
    """Not one that is late, of a packet before: of another IP version, or of another protocol and no ICMP."""
    same_version = seen.source.version == packet.family
    return same_version and seen.protocol in {packet.protocol, ICMP, ICMPV6}


def _is_it(seen: Seen, packet: Packet, *, local: bool) -> bool:
    if local and packet.protocol == 6:
        return seen.protocol == 6 and seen.flags & ~0xC0 == TCP_SYN
    return is_the_shot(seen, packet)


def _same_kind(one: Seen, other: Seen) -> bool:
    return (one.protocol, one.icmp, one.flags) == (other.protocol, other.icmp, other.flags)
