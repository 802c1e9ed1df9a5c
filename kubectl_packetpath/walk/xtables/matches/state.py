"""The state match: the conntrack state, in its older form.

Kernel: net/netfilter/xt_state.c
"""

import struct

from kubectl_packetpath.packet import Packet, State
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match

BITS = {State.INVALID: 1, State.ESTABLISHED: 2, State.RELATED: 4, State.NEW: 8, State.UNTRACKED: 64}
ORDER = (State.INVALID, State.NEW, State.RELATED, State.ESTABLISHED, State.UNTRACKED)


def unpack(extension: Extension, family: int) -> int:
    """Read `xt_state_info`: a mask of states."""
    del family
    mask: int = struct.unpack_from("<I", extension.data)[0]
    return mask


def holds(spec: int, here: Here, packet: Packet) -> Decision:
    """A packet without a connection is INVALID."""
    del here
    state = packet.connection.state if packet.connection is not None else State.INVALID
    return bool(spec & BITS[state])


def words(spec: int) -> str:
    """`--state RELATED,ESTABLISHED`."""
    return "--state " + ",".join(state.value for state in ORDER if spec & BITS[state])


MATCH = Match(name="state", unpack=unpack, holds=holds, words=words)
