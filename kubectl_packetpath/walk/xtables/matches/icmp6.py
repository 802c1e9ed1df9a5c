"""The icmp6 match: type and code of an ICMPv6 message.

Kernel: net/netfilter/xt_tcpudp.c
"""

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Match
from kubectl_packetpath.walk.xtables.fields import negation
from kubectl_packetpath.walk.xtables.matches.icmp import UNKNOWN, Spec, is_so, known, type_and_code, unpack


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """There is no type that means any."""
    del here
    if packet.fragment_offset:
        return False
    return is_so(spec, packet) != spec.invert if known(packet) else UNKNOWN


def words(spec: Spec) -> str:
    """`--icmpv6-type 128`."""
    return f"{negation(spec.invert)}--icmpv6-type {type_and_code(spec)}"


MATCH = Match(name="icmp6", unpack=unpack, holds=holds, words=words)
