"""The ecn match: congestion marks of IP and TCP.

Kernel: net/netfilter/xt_ecn.c
"""

from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match
from kubectl_packetpath.walk.xtables.fields import negation

IP, ECE, CWR = 0x01, 0x10, 0x20
TCP_ECE, TCP_CWR = 0x40, 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Which marks are asked for."""

    what: int
    invert: int
    ect: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_ecn_info`."""
    del family
    what, invert, ect = extension.data[:3]
    return Spec(what=what, invert=invert, ect=ect)


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Compare."""
    del here
    return (
        (not spec.what & IP or (packet.tos & 3 == spec.ect) != bool(spec.invert & IP))
        and (not spec.what & ECE or bool(packet.tcp_flags & TCP_ECE) != bool(spec.invert & ECE))
        and (not spec.what & CWR or bool(packet.tcp_flags & TCP_CWR) != bool(spec.invert & CWR))
    )


def words(spec: Spec) -> str:
    """`--ecn-tcp-cwr`."""
    return " ".join(
        negation(bool(spec.invert & bit)) + text
        for bit, text in ((ECE, "--ecn-tcp-ece"), (CWR, "--ecn-tcp-cwr"), (IP, f"--ecn-ip-ect {spec.ect}"))
        if spec.what & bit
    )


MATCH = Match(name="ecn", unpack=unpack, holds=holds, words=words)
