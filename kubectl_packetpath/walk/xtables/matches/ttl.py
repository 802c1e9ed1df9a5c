"""The ttl match: the hops that the packet has left.

Kernel: net/ipv4/netfilter/ipt_ttl.c, net/netfilter/xt_hl.c
"""

from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match
from kubectl_packetpath.walk.xtables.fields import negation

EQUAL, OTHER, LESS, MORE = 0, 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A comparison."""

    mode: int
    ttl: int
    option: str
    """`--ttl`, or `--hl` for IPv6."""


def unpack(extension: Extension, family: int) -> Spec:
    """Read `ipt_ttl_info` or `ip6t_hl_info`."""
    mode, ttl = extension.data[:2]
    if mode > MORE:
        raise ValueError(f"comparison {mode}")
    return Spec(mode=mode, ttl=ttl, option="--ttl" if family == 4 else "--hl")


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Compare."""
    del here
    if spec.mode in {EQUAL, OTHER}:
        return (packet.ttl == spec.ttl) == (spec.mode == EQUAL)
    return packet.ttl < spec.ttl if spec.mode == LESS else packet.ttl > spec.ttl


def words(spec: Spec) -> str:
    """`--ttl-eq 64`."""
    name = ("eq", "eq", "lt", "gt")[spec.mode]
    return f"{negation(spec.mode == OTHER)}{spec.option}-{name} {spec.ttl}"


MATCH = Match(name="ttl", unpack=unpack, holds=holds, words=words)
