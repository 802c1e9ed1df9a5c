"""The NFLOG target: a copy goes to a program that listens; the packet goes on.

Kernel: net/netfilter/xt_NFLOG.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.xtables.extension import Extension, Target, noted
from kubectl_packetpath.walk.xtables.fields import c_string, quoted

WITH_SIZE = 0x1


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Where and how much to log."""

    length: int
    group: int
    threshold: int
    flags: int
    prefix: str


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_nflog_info`."""
    del family
    length, group, threshold, flags = struct.unpack_from("<IHHH", extension.data)
    prefix = c_string(extension.data[12:76])
    return Spec(length=length, group=group, threshold=threshold, flags=flags, prefix=prefix)


def run(
    spec: Spec, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Go on."""
    del here
    yield from noted(packet, history, because, f"logged to group {spec.group}")


def words(spec: Spec) -> str:
    """`--nflog-prefix x --nflog-group 1`."""
    parts = [f"--nflog-prefix {quoted(spec.prefix)}"] if spec.prefix else []
    if spec.group:
        parts.append(f"--nflog-group {spec.group}")
    if spec.length:
        parts.append(f"--nflog-{'size' if spec.flags & WITH_SIZE else 'range'} {spec.length}")
    if spec.threshold:
        parts.append(f"--nflog-threshold {spec.threshold}")
    return " ".join(parts)


TARGET = Target(name="NFLOG", unpack=unpack, run=run, words=words, observes=True)
