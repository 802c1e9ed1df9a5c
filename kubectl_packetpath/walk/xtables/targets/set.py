"""The SET target: put the packet's addresses into an ipset, or take them out.

Kernel: net/netfilter/xt_set.c
"""

import struct
from dataclasses import dataclass, replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.trace import Fact, History, Step, StepKind, told
from kubectl_packetpath.walk.here import Here, Outcomes, go_on
from kubectl_packetpath.walk.xtables.extension import Extension, Target, noted
from kubectl_packetpath.walk.xtables.matches.set import Sides, named, sides_of

NONE = 0xFFFF
NO_TIMEOUT = 0xFFFFFFFF
EXIST, MAP_MARK, MAP_PRIORITY, MAP_QUEUE = 0x1, 0x100, 0x200, 0x400


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Sets to add to, to delete from and to take marks from."""

    add: Sides
    delete: Sides
    map: Sides | None = None
    flags: int = 0
    timeout: int = NO_TIMEOUT


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_set_info_target_v1` to 3."""
    del family
    data, revision = extension.data, extension.revision
    add, delete = sides_of(data, 0), sides_of(data, 4)
    if revision == 1:
        return Spec(add=add, delete=delete)
    at = 12 if revision == 3 else 8
    flags, timeout = struct.unpack_from("<II", data, at)
    return Spec(
        add=add, delete=delete, map=sides_of(data, 8) if revision == 3 else None, flags=flags, timeout=timeout
    )


def run(
    spec: Spec, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Go on; what the set holds for later packets is not followed."""
    if spec.map is not None and spec.map.index != NONE:
        place = because[0].key if because else here.node
        step = Step(
            kind=StepKind.ASSUMED, text=f"{place}: marks from an ipset are not modelled", because=because
        )
        yield replace(go_on(packet, told(history, step), None), verdict="continue")
        return
    yield from noted(packet, history, because, "an ipset is changed")


def naming(spec: Spec, state: NamespaceState) -> Spec:
    """Rules know sets by their number."""
    mapped = named(spec.map, state) if spec.map is not None else None
    return replace(spec, add=named(spec.add, state), delete=named(spec.delete, state), map=mapped)


def words(spec: Spec) -> str:
    """`--add-set NAME src --exist`."""
    parts = []
    if spec.add.index != NONE:
        parts.append(f"--add-set {spec.add}")
        if spec.flags & EXIST:
            parts.append("--exist")
        if spec.timeout != NO_TIMEOUT:
            parts.append(f"--timeout {spec.timeout}")
    if spec.delete.index != NONE:
        parts.append(f"--del-set {spec.delete}")
    if spec.map is not None and spec.map.index != NONE:
        parts.append(f"--map-set {spec.map}")
        for bit, name in ((MAP_MARK, "--map-mark"), (MAP_PRIORITY, "--map-prio"), (MAP_QUEUE, "--map-queue")):
            if spec.flags & bit:
                parts.append(name)
    return " ".join(parts)


TARGET = Target(
    name="SET",
    revisions=(1, 2, 3),
    unpack=unpack,
    run=run,
    words=words,
    naming=naming,
    certainty="exact for this packet; --map-set is assumed",
)
