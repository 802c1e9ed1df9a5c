"""The multiport match: whether a port is in a list.

Kernel: net/netfilter/xt_multiport.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided, inverted
from kubectl_packetpath.walk.xtables.fields import (
    destination_port_in,
    negation,
    port_span,
    source_port_in,
)

SOURCE, DESTINATION, EITHER = 0, 1, 2
OPTIONS = {SOURCE: "--sports", DESTINATION: "--dports", EITHER: "--ports"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Which port, and the ranges."""

    which: int
    spans: tuple[tuple[int, int], ...]
    invert: bool


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_multiport_v1` or the older `xt_multiport`."""
    del family
    data = extension.data
    which, count = data[0], data[1]
    if which not in OPTIONS or count > 15:
        raise ValueError("not a multiport match")
    ports = struct.unpack_from("<15H", data, 2)
    starts_range = data[32:47] if extension.revision == 1 else bytes(15)
    spans, at = [], 0
    while at < count:
        last = at + bool(starts_range[at])
        spans.append((ports[at], ports[last]))
        at = last + 1
    return Spec(which=which, spans=tuple(spans), invert=extension.revision == 1 and bool(data[47]))


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Later fragments have no ports."""
    del here
    if packet.fragment_offset:
        return False
    if spec.which == SOURCE:
        return source_port_in(packet, spec.spans, spec.invert)
    found = destination_port_in(packet, spec.spans)
    if spec.which == EITHER and found is not True:
        by_source = source_port_in(packet, spec.spans)
        found = by_source if by_source is True or not isinstance(found, Undecided) else found
    return inverted(found, spec.invert)


def words(spec: Spec) -> str:
    """`--dports 80,443,8000:8080`."""
    spans = ",".join(port_span(span) for span in spec.spans)
    return f"{negation(spec.invert)}{OPTIONS[spec.which]} {spans}"


MATCH = Match(
    name="multiport",
    revisions=(0, 1),
    unpack=unpack,
    holds=holds,
    words=words,
    certainty="exact; forks on source ports that the kernel chooses",
)
