"""The connmark match: whether the packet's connection carries this mark.

Kernel: net/netfilter/xt_connmark.c
"""

from kubectl_packetpath.packet import Packet, State
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Match
from kubectl_packetpath.walk.xtables.matches.mark import Spec, unpack, words


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Compare under the mask; a packet without a connection never fits, not even `!`."""
    del here
    connection = packet.connection
    if connection is None or connection.state in {State.INVALID, State.UNTRACKED}:
        return False
    return (connection.mark & spec.mask == spec.mark) != spec.invert


MATCH = Match(name="connmark", revisions=(1,), unpack=unpack, holds=holds, words=words)
