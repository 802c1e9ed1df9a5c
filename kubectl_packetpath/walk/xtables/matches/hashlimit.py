"""The hashlimit match: whether such packets come rarely enough, counted per address or port.

Kernel: net/netfilter/xt_hashlimit.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import c_string

TO_ADDRESS, TO_PORT, FROM_ADDRESS, FROM_PORT, INVERT, BYTES, RATE_MATCH = 1, 2, 4, 8, 16, 32, 64
MODES = ((FROM_ADDRESS, "srcip"), (FROM_PORT, "srcport"), (TO_ADDRESS, "dstip"), (TO_PORT, "dstport"))
SCALES = {1: 10_000, 2: 1_000_000, 3: 1_000_000}
SECONDS = (("day", 86_400), ("hour", 3_600), ("min", 60), ("sec", 1))
LAYOUTS = {1: ("<7I2B", 16), 2: ("<2Q5I2B", 256), 3: ("<2Q6I2B", 256)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The name of the table, how it is keyed and how much may pass."""

    name: str
    mode: int
    average: int
    burst: int
    size: int
    most: int
    collect: int
    expire: int
    masks: tuple[int, int]
    scale: int
    whole: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_hashlimit_mtinfo1`, 2 or 3."""
    layout, start = LAYOUTS[extension.revision]
    fields = list(struct.unpack_from(layout, extension.data, start))
    if extension.revision == 1:
        mode, average, burst = fields[:3]
    else:
        average, burst, mode = fields[:3]
    size, most, collect, expire = fields[3:7]
    return Spec(
        name=c_string(extension.data[:start]),
        mode=mode,
        average=average,
        burst=burst,
        size=size,
        most=most,
        collect=collect,
        expire=expire,
        masks=(fields[-2], fields[-1]),
        scale=SCALES[extension.revision],
        whole=32 if family == 4 else 128,
    )


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """The traffic of the last moments decides."""
    del here, packet
    return Undecided(f'the limit "{spec.name}": the load decides')


def words(spec: Spec) -> str:
    """`--hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name x`."""
    parts = ["--hashlimit-above" if spec.mode & INVERT else "--hashlimit-upto"]
    if spec.mode & (BYTES | RATE_MATCH):
        return f"{parts[0]} [bytes] --hashlimit-name {spec.name}"
    parts += [_rate(spec), f"--hashlimit-burst {spec.burst}"]
    if names := ",".join(name for bit, name in MODES if spec.mode & bit):
        parts.append(f"--hashlimit-mode {names}")
    parts.append(f"--hashlimit-name {spec.name}")
    if spec.size:
        parts.append(f"--hashlimit-htable-size {spec.size}")
    if spec.most:
        parts.append(f"--hashlimit-htable-max {spec.most}")
    if spec.collect != 1000:
        parts.append(f"--hashlimit-htable-gcinterval {spec.collect}")
    if spec.expire != 1000 * _unit(spec)[1]:
        parts.append(f"--hashlimit-htable-expire {spec.expire}")
    for option, length in zip(("--hashlimit-srcmask", "--hashlimit-dstmask"), spec.masks, strict=True):
        if length != spec.whole:
            parts.append(f"{option} {length}")
    return " ".join(parts)


def _unit(spec: Spec) -> tuple[str, int]:
    chosen = 0
    for position in range(1, len(SECONDS)):
        unit = SECONDS[position][1] * spec.scale
        if spec.average > unit or unit // max(spec.average, 1) < unit % max(spec.average, 1):
            break
        chosen = position
    return SECONDS[chosen]


def _rate(spec: Spec) -> str:
    name, seconds = _unit(spec)
    return f"{seconds * spec.scale // spec.average}/{name}" if spec.average else "inf"


MATCH = Match(
    name="hashlimit",
    revisions=(1, 2, 3),
    unpack=unpack,
    holds=holds,
    words=words,
    certainty="forks: load decides",
)
