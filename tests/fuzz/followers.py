"""Packets that belong to a connection which an earlier one has begun: its answer, and what its sender sends then."""

from dataclasses import replace

from fuzz.case import Shot
from fuzz.frames import is_the_shot, packet_of
from fuzz.wire import Observed

REVERSED = {"tcp": "SA", "udp": "", "icmp": ""}
"""TCP flags of an answer, for the protocols that are answered."""


def answer_to(shot: Shot, observed: Observed) -> Shot | None:
    """What the station that the packet went to sends back; None: it went nowhere, or is not answered."""
    asks = shot.by and shot.protocol in REVERSED and (shot.protocol != "icmp" or shot.kind == 8)
    if not asks or (shot.protocol == "tcp" and shot.flags != "S"):
        return None
    packet = packet_of(shot)
    for frame in observed.frames:
        seen = frame.seen
        if frame.device != "br0" and is_the_shot(seen, packet):
            return Shot(
                by=frame.device,
                source=str(seen.destination),
                target=str(seen.source),
                protocol=shot.protocol,
                sport=(seen.sport if shot.protocol == "icmp" else seen.dport) or 0,
                dport=(0 if shot.protocol == "icmp" else seen.sport) or 0,
                flags=REVERSED[shot.protocol] or "S",
                kind=0,
                size=shot.size,
            )
    return None


def later(shot: Shot) -> Shot:
    """What the sender sends once it was answered."""
    return replace(shot, flags="A") if shot.protocol == "tcp" else shot
