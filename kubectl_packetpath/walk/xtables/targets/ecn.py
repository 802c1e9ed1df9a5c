"""The ECN target: remove TCP's congestion marks.

Kernel: net/ipv4/netfilter/ipt_ECN.c
"""

from dataclasses import dataclass, replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Fact, History
from kubectl_packetpath.walk.here import Here, Outcomes
from kubectl_packetpath.walk.xtables.extension import Extension, Target, marked

SET_IP, SET_ECE, SET_CWR = 0x01, 0x10, 0x20


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What is set, and to what."""

    what: int
    ip: int
    ece: bool
    cwr: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read `ipt_ECN_info`."""
    del family
    what, ip, bits = extension.data[:3]
    return Spec(what=what, ip=ip, ece=bool(bits & 1), cwr=bool(bits & 2))


def run(
    spec: Spec, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Change the bits and go on."""
    del here
    tos = packet.tos & 0xFC | spec.ip if spec.what & SET_IP else packet.tos
    flags = packet.tcp_flags
    for bit, flag, value in ((SET_ECE, 0x40, spec.ece), (SET_CWR, 0x80, spec.cwr)):
        if spec.what & bit:
            flags = flags & ~flag | flag * value
    changed = replace(packet, tos=tos, tcp_flags=flags)
    yield from marked(packet, changed, history, because, "congestion marks are set")


def words(spec: Spec) -> str:
    """`--ecn-tcp-remove`."""
    if spec.what == SET_ECE | SET_CWR and not spec.ece and not spec.cwr:
        return "--ecn-tcp-remove"
    parts = []
    if spec.what & SET_ECE:
        parts.append(f"--ecn-tcp-ece {int(spec.ece)}")
    if spec.what & SET_CWR:
        parts.append(f"--ecn-tcp-cwr {int(spec.cwr)}")
    if spec.what & SET_IP:
        parts.append(f"--ecn-ip-ect {spec.ip}")
    return " ".join(parts)


TARGET = Target(name="ECN", unpack=unpack, run=run, words=words)
