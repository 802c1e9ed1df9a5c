"""The owner match: which local user sent the packet.

Kernel: net/netfilter/xt_owner.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided, all_of, inverted
from kubectl_packetpath.walk.xtables.fields import negation

UID, GID, SOCKET, SUPPLEMENTARY = 1, 2, 4, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Ranges of users and groups, and which of them is asked for."""

    uids: tuple[int, int]
    gids: tuple[int, int]
    what: int
    invert: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_owner_match_info`."""
    del family
    uid, last_uid, gid, last_gid, what, invert = struct.unpack_from("<IIIIBB", extension.data)
    return Spec(uids=(uid, last_uid), gids=(gid, last_gid), what=what, invert=invert)


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """A packet without a local socket fits only what is asked with `!`."""
    del here
    if packet.uid is None:
        return spec.what & ~spec.invert == 0
    if spec.what & spec.invert & SOCKET:
        return False
    return all_of(
        (
            not spec.what & UID or (spec.uids[0] <= packet.uid <= spec.uids[1]) != bool(spec.invert & UID),
            not spec.what & GID or inverted(_group(spec, packet), bool(spec.invert & GID)),
        )
    )


def _group(spec: Spec, packet: Packet) -> Decision:
    if packet.gid is None:
        return Undecided("the sender's group is not known")
    if spec.gids[0] <= packet.gid <= spec.gids[1]:
        return True
    if spec.what & SUPPLEMENTARY:
        return Undecided("the sender's other groups are not known")
    return False


def words(spec: Spec) -> str:
    """`--uid-owner 0`."""
    parts = []
    if spec.what & SOCKET:
        parts.append(f"{negation(bool(spec.invert & SOCKET))}--socket-exists")
    for bit, option, (first, last) in ((UID, "--uid-owner", spec.uids), (GID, "--gid-owner", spec.gids)):
        if spec.what & bit:
            span = str(first) if first == last else f"{first}-{last}"
            parts.append(f"{negation(bool(spec.invert & bit))}{option} {span}")
    if spec.what & SUPPLEMENTARY:
        parts.append("--suppl-groups")
    return " ".join(parts)


MATCH = Match(name="owner", revisions=(1,), unpack=unpack, holds=holds, words=words)
