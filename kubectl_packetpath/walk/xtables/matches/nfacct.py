"""The nfacct match: counts into a named object; it always holds.

Kernel: net/netfilter/xt_nfacct.c
"""

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match
from kubectl_packetpath.walk.xtables.fields import c_string


def unpack(extension: Extension, family: int) -> str:
    """The object's name."""
    del family
    return c_string(extension.data[:32])


def holds(spec: str, here: Here, packet: Packet) -> Decision:
    """Objects with a quota match only when it is used up; iptables users give them none."""
    del spec, here, packet
    return True


def words(spec: str) -> str:
    """`--nfacct-name  NAME`; iptables itself prints two spaces."""
    return f"--nfacct-name  {spec}"


MATCH = Match(
    name="nfacct",
    revisions=(0, 1),
    unpack=unpack,
    holds=holds,
    words=words,
    certainty="exact for objects without a quota",
)
