"""The cluster match: whether the sender falls to this node's share of a cluster.

Kernel: net/netfilter/xt_cluster.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet, State
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import negation


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The shares, and which are ours."""

    nodes: int
    mask: int
    seed: int
    invert: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_cluster_match_info`."""
    del family
    nodes, mask, seed, flags = struct.unpack_from("<4I", extension.data)
    return Spec(nodes=nodes, mask=mask, seed=seed, invert=bool(flags & 1))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """A hash of the sender's address decides; nothing that is not tracked fits."""
    del spec, here
    if packet.connection is None or packet.connection.state in {State.INVALID, State.UNTRACKED}:
        return False
    return Undecided("a hash of the sender's address decides")


def words(spec: Spec) -> str:
    """`--cluster-local-nodemask 0x00000001 --cluster-total-nodes 2 --cluster-hash-seed 0x...`."""
    return (
        f"{negation(spec.invert)}--cluster-local-nodemask 0x{spec.mask:08x}"
        f" --cluster-total-nodes {spec.nodes} --cluster-hash-seed 0x{spec.seed:08x}"
    )


MATCH = Match(name="cluster", unpack=unpack, holds=holds, words=words, certainty="forks on a hash")
