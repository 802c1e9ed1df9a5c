"""The TTL target: set or change the number of hops left.

Kernel: net/netfilter/xt_HL.c
"""

from dataclasses import dataclass, replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.xtables.extension import Extension, Target, marked

SET, INCREASE, DECREASE = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What to do with which number."""

    mode: int
    hops: int
    option: str
    """`--ttl`, or `--hl` for IPv6."""


def unpack(extension: Extension, family: int) -> Spec:
    """Read `ipt_TTL_info` or `ip6t_HL_info`."""
    mode, hops = extension.data[:2]
    if mode > DECREASE:
        raise ValueError(f"mode {mode}")
    return Spec(mode=mode, hops=hops, option="--ttl" if family == 4 else "--hl")


def run(
    spec: Spec, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Change it and go on."""
    del here
    ttl = spec.hops
    if spec.mode == INCREASE:
        ttl = min(packet.ttl + spec.hops, 255)
    elif spec.mode == DECREASE:
        ttl = max(packet.ttl - spec.hops, 0)
    yield from marked(packet, replace(packet, ttl=ttl), history, because, f"the TTL becomes {ttl}")


def words(spec: Spec) -> str:
    """`--ttl-set 64`."""
    return f"{spec.option}-{('set', 'inc', 'dec')[spec.mode]} {spec.hops}"


TARGET = Target(name="TTL", unpack=unpack, run=run, words=words)
