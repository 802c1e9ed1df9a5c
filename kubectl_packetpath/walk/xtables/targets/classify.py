"""The CLASSIFY target: set the packet's priority, which traffic control reads.

Kernel: net/netfilter/xt_CLASSIFY.c
"""

import struct
from dataclasses import replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.xtables.extension import Extension, Target, marked


def unpack(extension: Extension, family: int) -> int:
    """Read `xt_classify_target_info`."""
    del family
    priority: int = struct.unpack_from("<I", extension.data)[0]
    return priority


def run(
    spec: int, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Set it and go on."""
    del here
    yield from marked(
        packet, replace(packet, priority=spec), history, because, f"priority set to {class_of(spec)}"
    )


def class_of(priority: int) -> str:
    """`1:a`, as traffic control prints it."""
    return f"{priority >> 16:x}:{priority & 0xFFFF:x}"


def words(spec: int) -> str:
    """`--set-class 1:a`."""
    return f"--set-class {spec >> 16:04x}:{spec & 0xFFFF:04x}"


TARGET = Target(name="CLASSIFY", unpack=unpack, run=run, words=words)
