"""The LOG target: a line in the kernel log; the packet goes on.

Kernel: net/netfilter/xt_LOG.c
"""

from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.xtables.extension import Extension, Target, noted
from kubectl_packetpath.walk.xtables.fields import c_string, quoted

FLAGS = (
    (0x01, "--log-tcp-sequence"),
    (0x02, "--log-tcp-options"),
    (0x04, "--log-ip-options"),
    (0x08, "--log-uid"),
    (0x20, "--log-macdecode"),
)
DEFAULT_LEVEL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """How to log."""

    level: int
    flags: int
    prefix: str


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_log_info`."""
    del family
    data = extension.data
    return Spec(level=data[0], flags=data[1], prefix=c_string(data[2:32]))


def run(
    spec: Spec, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Go on."""
    del here
    yield from noted(
        packet, history, because, f'logged with prefix "{spec.prefix}"' if spec.prefix else "logged"
    )


def words(spec: Spec) -> str:
    """`--log-prefix "x: " --log-level 6`."""
    parts = [f"--log-prefix {quoted(spec.prefix)}"] if spec.prefix else []
    if spec.level != DEFAULT_LEVEL:
        parts.append(f"--log-level {spec.level}")
    parts += [option for bit, option in FLAGS if spec.flags & bit]
    return " ".join(parts)


TARGET = Target(name="LOG", unpack=unpack, run=run, words=words, observes=True)
