"""The CT target: how connection tracking is to treat the packet, or that it is to leave it alone.

Kernel: net/netfilter/xt_CT.c
"""

import struct
from dataclasses import dataclass, replace

from kubectl_packetpath.packet import Connection, Packet, State
from kubectl_packetpath.trace import Fact, History, Step, StepKind, told
from kubectl_packetpath.walk.here import Here, Outcomes, go_on
from kubectl_packetpath.walk.xtables.extension import Extension, Target, noted
from kubectl_packetpath.walk.xtables.fields import c_string

NOTRACK, NOTRACK_ALIAS, ZONE_ORIGINAL, ZONE_REPLY, ZONE_MARK = 1, 2, 4, 8, 16
EVENTS = [
    "new",
    "related",
    "destroy",
    "reply",
    "assured",
    "protoinfo",
    "helper",
    "mark",
    "natseqinfo",
    "secmark",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What connection tracking is told."""

    flags: int
    zone: int = 0
    events: int = 0
    expectation_events: int = 0
    helper: str = ""
    timeout: str = ""


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_ct_target_info` or `_v1` (revision 1 and 2)."""
    del family
    data = extension.data
    flags, zone, events, expectation_events = struct.unpack_from("<HHII", data)
    timeout = c_string(data[28:60]) if extension.revision > 0 else ""
    return Spec(
        flags=flags,
        zone=zone,
        events=events,
        expectation_events=expectation_events,
        helper=c_string(data[12:28]),
        timeout=timeout,
    )


def run(
    spec: Spec, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Only the first such rule counts, and only before the packet was tracked."""
    if packet.connection is not None:
        yield from noted(packet, history, because, "the packet was already tracked")
    elif spec.flags & NOTRACK:
        flow = packet.flow
        untracked = Connection(state=State.UNTRACKED, original=flow, reply=flow.reversed)
        changed = replace(packet, connection=untracked)
        step = Step(
            kind=StepKind.TRACKED,
            text="connection tracking leaves the packet alone",
            because=because,
            before=packet,
            after=changed,
        )
        yield replace(go_on(changed, told(history, step)), verdict="continue")
    elif spec.zone or spec.flags & ZONE_MARK:
        place = because[0].key if because else here.node
        step = Step(kind=StepKind.ASSUMED, text=f"{place}: conntrack zones are not modelled", because=because)
        yield replace(go_on(packet, told(history, step), None), verdict="continue")
    else:
        yield from noted(packet, history, because, "the connection gets tracking options")


def words(spec: Spec) -> str:
    """`--notrack`, `--zone 1 --helper ftp`."""
    if spec.flags & NOTRACK_ALIAS:
        return ""
    parts = ["--notrack"] if spec.flags & NOTRACK else []
    if spec.helper:
        parts.append(f"--helper {spec.helper}")
    if spec.timeout:
        parts.append(f"--timeout {spec.timeout}")
    for option, mask in (("--ctevents", spec.events), ("--expevents", spec.expectation_events)):
        if mask:
            parts.append(f"{option} {','.join(name for bit, name in enumerate(EVENTS) if mask >> bit & 1)}")
    zone = {ZONE_ORIGINAL: "--zone-orig", ZONE_REPLY: "--zone-reply"}.get(
        spec.flags & (ZONE_ORIGINAL | ZONE_REPLY), "--zone"
    )
    if spec.flags & ZONE_MARK:
        parts.append(f"{zone} mark")
    elif spec.zone:
        parts.append(f"{zone} {spec.zone}")
    return " ".join(parts)


def title(spec: Spec) -> str:
    """`-j NOTRACK` is an alias of this target."""
    return "NOTRACK" if spec.flags & NOTRACK_ALIAS else "CT"


TARGET = Target(
    name="CT",
    revisions=(0, 1, 2),
    unpack=unpack,
    run=run,
    words=words,
    title=title,
    certainty="exact; zones are assumed",
)
