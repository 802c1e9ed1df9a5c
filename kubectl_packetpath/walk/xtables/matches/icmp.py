"""The icmp match: type and code of an ICMP message.

Kernel: net/netfilter/xt_tcpudp.c
"""

from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import negation

ANY = 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A type and a range of codes."""

    type: int
    codes: tuple[int, int]
    invert: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read `ipt_icmp` (`ip6t_icmp` is the same)."""
    del family
    data = extension.data
    return Spec(type=data[0], codes=(data[1], data[2]), invert=bool(data[3] & 1))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Type 255 means any."""
    del here
    if packet.fragment_offset:
        return False
    return (spec.type == ANY or is_so(spec, packet)) != spec.invert if known(packet) else UNKNOWN


UNKNOWN = Undecided("the ICMP type is not known")


def known(packet: Packet) -> bool:
    """Whether type and code are part of the question."""
    return packet.icmp_type is not None and packet.icmp_code is not None


def is_so(spec: Spec, packet: Packet) -> bool:
    """Whether type and code fit."""
    return packet.icmp_type == spec.type and spec.codes[0] <= (packet.icmp_code or 0) <= spec.codes[1]


def type_and_code(spec: Spec) -> str:
    """`3/4`, or `8` where any code will do."""
    return str(spec.type) if spec.codes == (0, 0xFF) else f"{spec.type}/{spec.codes[0]}"


def words(spec: Spec) -> str:
    """`--icmp-type 8`."""
    value = "any" if spec.type == ANY and spec.codes == (0, 0xFF) else type_and_code(spec)
    return f"{negation(spec.invert)}--icmp-type {value}"


MATCH = Match(name="icmp", unpack=unpack, holds=holds, words=words)
