"""The NFQUEUE target: a program decides about the packet.

Kernel: net/netfilter/xt_NFQUEUE.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes, go_on, unknown
from kubectl_packetpath.walk.xtables.extension import Extension, Target

BYPASS, CPU_FANOUT = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Which queues."""

    queue: int
    queues: int
    flags: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_NFQ_info` of any revision."""
    del family
    data = extension.data
    queues = struct.unpack_from("<H", data, 2)[0] if extension.revision >= 1 else 1
    flags = struct.unpack_from("<H", data, 4)[0] if extension.revision >= 2 else 0
    return Spec(queue=struct.unpack_from("<H", data)[0], queues=queues, flags=flags)


def run(
    spec: Spec, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """What the program says is beyond the kernel's state."""
    place = because[0].key if because else here.node
    yield unknown(go_on(packet, history), f"{place}: a program behind queue {spec.queue} decides", because)


def words(spec: Spec) -> str:
    """`--queue-num 0 --queue-bypass`."""
    parts = []
    if spec.queues > 1:
        parts.append(f"--queue-balance {spec.queue}:{spec.queue + spec.queues - 1}")
    else:
        parts.append(f"--queue-num {spec.queue}")
    if spec.flags & BYPASS:
        parts.append("--queue-bypass")
    if spec.flags & CPU_FANOUT:
        parts.append("--queue-cpu-fanout")
    return " ".join(parts)


TARGET = Target(
    name="NFQUEUE",
    revisions=(0, 1, 2, 3),
    unpack=unpack,
    run=run,
    words=words,
    certainty="unknown: a program decides",
)
