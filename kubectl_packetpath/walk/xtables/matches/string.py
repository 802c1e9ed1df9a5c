"""The string match: whether the packet holds a text.

Kernel: net/netfilter/xt_string.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import c_string, negation

INVERT, IGNORE_CASE = 1, 2
TO_THE_END = (0, 0xFFFF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The text and where it may stand."""

    first: int
    last: int
    algorithm: str
    pattern: bytes
    flags: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_string_info`."""
    del family
    data = extension.data
    first, last = struct.unpack_from("<HH", data)
    length = data[148]
    if length > 128:
        raise ValueError(f"a pattern of {length} bytes")
    flags = data[149] if extension.revision == 1 else bool(data[149])
    return Spec(
        first=first, last=last, algorithm=c_string(data[4:20]), pattern=data[20 : 20 + length], flags=flags
    )


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """What a packet carries is not part of a question."""
    del spec, here, packet
    return Undecided("the packet's content decides")


def words(spec: Spec) -> str:
    """`--string "GET" --algo bm`."""
    printable = all(32 <= each < 127 and each != ord("\\") for each in spec.pattern)
    if printable:
        escaped = spec.pattern.decode("ascii").replace('"', '\\"')
        text = f'--string "{escaped}"'
    else:
        text = f'--hex-string "|{spec.pattern.hex()}|"'
    parts = [f"{negation(bool(spec.flags & INVERT))}{text}", f"--algo {spec.algorithm}"]
    if spec.first:
        parts.append(f"--from {spec.first}")
    if spec.last not in TO_THE_END:
        parts.append(f"--to {spec.last}")
    if spec.flags & IGNORE_CASE:
        parts.append("--icase")
    return " ".join(parts)


MATCH = Match(
    name="string",
    revisions=(0, 1),
    unpack=unpack,
    holds=holds,
    words=words,
    certainty="forks: content decides",
)
