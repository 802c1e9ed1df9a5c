"""The CONNMARK target: put a mark on the connection, or carry it between packet and connection.

Kernel: net/netfilter/xt_connmark.c
"""

import struct
from dataclasses import dataclass, replace

from kubectl_packetpath.packet import Packet, State
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.xtables.extension import Extension, Target, marked, noted

SET, SAVE, RESTORE = 0, 1, 2
LEFT, RIGHT = 0, 1
ALL = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Masks, what to do, and by how many bits to shift (negative: right)."""

    mark: int
    mask: int
    packet_mask: int
    mode: int
    shift: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_connmark_tginfo1` or 2."""
    del family
    mark, mask, packet_mask = struct.unpack_from("<III", extension.data)
    shift = 0
    if extension.revision == 2:
        direction, bits, mode = struct.unpack_from("<BBB", extension.data, 12)
        shift = -bits if direction == RIGHT else bits
    else:
        mode = extension.data[12]
    if mode not in {SET, SAVE, RESTORE}:
        raise ValueError(f"CONNMARK mode {mode}")
    return Spec(mark=mark, mask=mask, packet_mask=packet_mask, mode=mode, shift=shift)


def shifted(value: int, shift: int) -> int:
    """Shift a 32 bit number."""
    return (value << shift if shift >= 0 else value >> -shift) & ALL


def run(
    spec: Spec, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Change one of the two marks and go on."""
    del here
    connection = packet.connection
    if connection is None or connection.state in {State.INVALID, State.UNTRACKED}:
        yield from noted(packet, history, because, "there is no connection to mark")
        return
    if spec.mode == RESTORE:
        mark = (packet.mark & ~spec.packet_mask) ^ shifted(connection.mark & spec.mask, spec.shift)
        changed, text = replace(packet, mark=mark), f"the packet takes mark 0x{mark:x} from its connection"
    else:
        if spec.mode == SET:
            mark = shifted((connection.mark & ~spec.mask) ^ spec.mark, spec.shift)
        else:
            mark = (connection.mark & ~spec.mask) ^ shifted(packet.mark & spec.packet_mask, spec.shift)
        changed = replace(packet, connection=replace(connection, mark=mark))
        text = f"the connection is marked 0x{mark:x}"
    yield from marked(packet, changed, history, because, text)


def words(spec: Spec) -> str:
    """`--restore-mark --nfmask 0xf --ctmask 0xf`."""
    shift = f" --{'left' if spec.shift > 0 else 'right'}-shift-mark {abs(spec.shift)}" if spec.shift else ""
    if spec.mode == SET:
        return f"--set-xmark 0x{spec.mark:x}/0x{spec.mask:x}{shift}"
    option = "--save-mark" if spec.mode == SAVE else "--restore-mark"
    return f"{option} --nfmask 0x{spec.packet_mask:x} --ctmask 0x{spec.mask:x}{shift}"


TARGET = Target(name="CONNMARK", revisions=(1, 2), unpack=unpack, run=run, words=words)
