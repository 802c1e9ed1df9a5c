"""The bpf match: a program of classic BPF looks at the packet.

Kernel: net/netfilter/xt_bpf.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import c_string

BYTECODE, PINNED = 0, 2
MOST_INSTRUCTIONS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The program, or the path where it is pinned."""

    text: str


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_bpf_info` or `_v1`."""
    del family
    data = extension.data
    if extension.revision == 0:
        (count,), start = struct.unpack_from("<H", data), 4
    else:
        mode, count = struct.unpack_from("<HH", data)
        start = 8
        if mode != BYTECODE:
            return Spec(text=f"--object-pinned {c_string(data[8:520])}" if mode == PINNED else "")
    if count > MOST_INSTRUCTIONS:
        raise ValueError(f"{count} instructions")
    program = [struct.unpack_from("<HBBI", data, start + 8 * each) for each in range(count)]
    lines = ",".join(" ".join(map(str, instruction)) for instruction in program)
    return Spec(text=f'--bytecode "{count},{lines}"')


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """The program is not run."""
    del spec, here, packet
    return Undecided("a BPF program decides")


def words(spec: Spec) -> str:
    """`--bytecode "..."`."""
    return spec.text


MATCH = Match(
    name="bpf",
    revisions=(0, 1),
    unpack=unpack,
    holds=holds,
    words=words,
    certainty="forks: a program decides",
)
