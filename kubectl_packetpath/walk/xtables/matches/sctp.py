"""The sctp match: ports and chunks of an SCTP packet.

Kernel: net/netfilter/xt_sctp.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided, all_of
from kubectl_packetpath.walk.xtables.fields import destination_port_in, negation, port_span, source_port_in

SOURCE, DESTINATION, CHUNKS = 1, 2, 4
MATCHES = {1: "any", 2: "all", 4: "only"}
CHUNK_NAMES = {
    0: "DATA", 1: "INIT", 2: "INIT_ACK", 3: "SACK", 4: "HEARTBEAT", 5: "HEARTBEAT_ACK", 6: "ABORT",
    7: "SHUTDOWN", 8: "SHUTDOWN_ACK", 9: "ERROR", 10: "COOKIE_ECHO", 11: "COOKIE_ACK", 12: "ECN_ECNE",
    13: "ECN_CWR", 14: "SHUTDOWN_COMPLETE", 64: "I_DATA", 128: "ASCONF_ACK", 130: "RE_CONFIG", 132: "PAD",
    192: "FORWARD_TSN", 193: "ASCONF", 194: "I_FORWARD_TSN",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What the rule asks for."""

    sports: tuple[int, int]
    dports: tuple[int, int]
    chunks: int
    """Bit per chunk type."""
    chunk_match: int
    flags: int
    invert: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_sctp_info`."""
    del family
    data = extension.data
    to_first, to_last, first, last = struct.unpack_from("<4H", data)
    flags, invert = struct.unpack_from("<II", data, 284)
    return Spec(
        sports=(first, last),
        dports=(to_first, to_last),
        chunks=int.from_bytes(data[8:40], "little"),
        chunk_match=struct.unpack_from("<I", data, 264)[0],
        flags=flags,
        invert=invert,
    )


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Later fragments have no header to look at."""
    del here
    if packet.fragment_offset:
        return False
    return all_of(
        (
            not spec.flags & DESTINATION
            or destination_port_in(packet, (spec.dports,), bool(spec.invert & DESTINATION)),
            not spec.flags & SOURCE or source_port_in(packet, (spec.sports,), bool(spec.invert & SOURCE)),
            Undecided("the chunks of the packet decide") if spec.flags & CHUNKS else True,
        )
    )


def words(spec: Spec) -> str:
    """`--dport 53 --chunk-types any INIT`."""
    parts = []
    for name, span, bit in (("--sport", spec.sports, SOURCE), ("--dport", spec.dports, DESTINATION)):
        if spec.flags & bit:
            parts.append(f"{negation(bool(spec.invert & bit))}{name} {port_span(span)}")
    if spec.flags & CHUNKS:
        names = ",".join(name for bit, name in CHUNK_NAMES.items() if spec.chunks >> bit & 1)
        how = MATCHES.get(spec.chunk_match, "any")
        parts.append(f"{negation(bool(spec.invert & CHUNKS))}--chunk-types {how} {names or 'NONE'}")
    return " ".join(parts)


MATCH = Match(name="sctp", unpack=unpack, holds=holds, words=words, certainty="exact; forks on --chunk-types")
