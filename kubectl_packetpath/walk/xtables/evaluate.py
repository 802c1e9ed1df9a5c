"""One match or target of iptables, evaluated for a packet at a place.

The legacy engine and the nft engine both come here, so a match means the same in both.
"""

from collections.abc import Iterator
from dataclasses import replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.trace import Fact, History, Step, StepKind, told
from kubectl_packetpath.walk.here import Here, Outcomes, go_on, unknown
from kubectl_packetpath.walk.xtables.extension import BAD_BYTES, Decision, Extension, Undecided
from kubectl_packetpath.walk.xtables.matches import find_match
from kubectl_packetpath.walk.xtables.targets import find_target

CONTINUING = frozenset(
    {"AUDIT", "CHECKSUM", "CONNSECMARK", "IDLETIMER", "LED", "RATEEST", "SECMARK", "TCPOPTSTRIP"}
)
"""Targets that leave a packet's way alone, whatever their bytes say."""


def evaluate(here: Here, family: int, extension: Extension, packet: Packet) -> Decision:
    """Whether a match holds."""
    match = find_match(extension.name, extension.revision, family)
    if match is None:
        return Undecided(f'match "{extension.name}" (revision {extension.revision}) is not modelled')
    try:
        spec = match.unpack(extension, family)
    except BAD_BYTES as error:
        return Undecided(f'match "{extension.name}" (revision {extension.revision}) has other bytes: {error}')
    return match.holds(spec, here, packet)


def run_target(  # noqa: PLR0913, PLR0917 - the shape that both engines share
    here: Here,
    family: int,
    extension: Extension,
    packet: Packet,
    history: History | None,
    because: tuple[Fact, ...],
) -> Outcomes:
    """What a target does: each outcome has an ending, or says `continue`, `accept` or `return`."""
    target = find_target(extension.name, extension.revision, family)
    place = because[0].key if because else here.node
    reason = f'{place}: target "{extension.name}" (revision {extension.revision})'
    if target is not None:
        try:
            spec = target.unpack(extension, family)
        except BAD_BYTES as error:
            yield unknown(go_on(packet, history), f"{reason} has other bytes: {error}", because)
            return
        yield from target.run(spec, here, packet, history, because)
    elif extension.name in CONTINUING:
        step = Step(
            kind=StepKind.MATCHED, text=f"{extension.name} leaves the packet's way alone", because=because
        )
        yield replace(go_on(packet, told(history, step)), verdict="continue")
    else:
        yield unknown(go_on(packet, history), f"{reason} is not modelled", because)


def observes(family: int, extension: Extension) -> bool:
    """Whether a target leaves the packet's way alone, so that a doubtful match before it changes nothing."""
    target = find_target(extension.name, extension.revision, family)
    return extension.name in CONTINUING if target is None else target.observes


def match_words(state: NamespaceState, family: int, extension: Extension) -> Iterator[str]:
    """`-m`, the name and the options, as `iptables-save` prints them."""
    match = find_match(extension.name, extension.revision, family)
    try:
        if match is None:
            raise ValueError(extension.name)
        spec = match.unpack(extension, family)
        if match.naming is not None:
            spec = match.naming(spec, state)
        yield f"-m {match.title(spec) if match.title is not None else match.name}"
        yield match.words(spec)
    except BAD_BYTES:
        yield f"-m {extension.name} [not modelled]"


def target_words(state: NamespaceState, family: int, extension: Extension) -> Iterator[str]:
    """`-j`, the name and the options, as `iptables-save` prints them."""
    target = find_target(extension.name, extension.revision, family)
    try:
        if target is None:
            raise ValueError(extension.name)
        spec = target.unpack(extension, family)
        if target.naming is not None:
            spec = target.naming(spec, state)
        yield f"-j {target.title(spec) if target.title is not None else target.name}"
        yield target.words(spec)
    except BAD_BYTES:
        yield f"-j {extension.name} [not modelled]"
