"""The MARK target: put a mark on the packet.

With it kube-proxy asks for masquerading later on (0x4000).

Kernel: net/netfilter/xt_mark.c
"""

import struct
from dataclasses import dataclass, replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.xtables.extension import Extension, Target, marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Clear the mask, then exclusive-or the mark."""

    mark: int
    mask: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_mark_tginfo2`."""
    del family
    mark, mask = struct.unpack_from("<II", extension.data)
    return Spec(mark=mark, mask=mask)


def run(
    spec: Spec, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Change the mark and go on."""
    del here
    mark = (packet.mark & ~spec.mask) ^ spec.mark
    changed = replace(packet, mark=mark)
    yield from marked(packet, changed, history, because, f"the packet is marked 0x{mark:x}")


def words(spec: Spec) -> str:
    """`--set-xmark 0x4000/0x4000`."""
    return f"--set-xmark 0x{spec.mark:x}/0x{spec.mask:x}"


TARGET = Target(name="MARK", revisions=(2,), unpack=unpack, run=run, words=words)
