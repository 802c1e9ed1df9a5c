"""The addrtype match: whether an address is one of ours.

kube-proxy uses it to send only traffic for the node itself to KUBE-NODEPORTS.

Kernel: net/netfilter/xt_addrtype.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Address, Packet
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.walk import routing
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import negation

TYPES = [
    "UNSPEC",
    "UNICAST",
    "LOCAL",
    "BROADCAST",
    "ANYCAST",
    "MULTICAST",
    "BLACKHOLE",
    "UNREACHABLE",
    "PROHIBIT",
    "THROW",
    "NAT",
    "XRESOLVE",
]
INVERT_SOURCE, INVERT_DESTINATION, LIMIT_IN, LIMIT_OUT = 1, 2, 4, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What the rule asks for."""

    source: int
    destination: int
    flags: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_addrtype_info` or `_v1`."""
    del family
    if extension.revision == 1:
        source, destination, flags = struct.unpack_from("<HHI", extension.data)
    else:
        source, destination, not_source, not_destination = struct.unpack_from("<HHII", extension.data)
        flags = INVERT_SOURCE * bool(not_source) | INVERT_DESTINATION * bool(not_destination)
    return Spec(source=source, destination=destination, flags=flags)


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Ask the routing tables."""
    device = None
    if spec.flags & LIMIT_IN:
        device = here.in_device
    elif spec.flags & LIMIT_OUT:
        device = here.out_device
    for address, types, invert in (
        (packet.source, spec.source, spec.flags & INVERT_SOURCE),
        (packet.destination, spec.destination, spec.flags & INVERT_DESTINATION),
    ):
        if not types:
            continue
        has = (
            _is4(here, address, types, device) if address.version == 4 else _is6(here, address, types, device)
        )
        if has is None:
            return Undecided("the addresses of this node are not known")
        if has == bool(invert):
            return False
    return True


def _is4(here: Here, address: Address, types: int, device: Link | None) -> bool:
    return bool(types >> TYPES.index(routing.address_type(here.state, address, device)) & 1)


def _is6(here: Here, address: Address, types: int, device: Link | None) -> bool | None:
    """Only some types of IPv6 are looked up; the others are told from the address itself."""
    multicast, unspecified = address.is_multicast, address.is_unspecified
    for name, is_so in (
        ("MULTICAST", multicast),
        ("UNICAST", not multicast and not unspecified),
        ("UNSPEC", unspecified),
    ):
        if types >> TYPES.index(name) & 1 and not is_so:
            return False
    looked_up = types & sum(
        1 << TYPES.index(name) for name in ("LOCAL", "ANYCAST", "PROHIBIT", "UNREACHABLE")
    )
    if not looked_up:
        return True
    if device is not None and types >> TYPES.index("LOCAL") & 1:
        ours = here.state.addresses()
        if isinstance(ours, Absent):
            return None
        if any(each.link == device.index and each.address == address for each in ours):
            return True
    found = routing.address_type(here.state, address, device)
    if found == "LOCAL" and device is not None:
        return False
    if found in {"BLACKHOLE", "PROHIBIT", "THROW"}:
        found = "UNREACHABLE"
    return bool(types >> TYPES.index(found) & 1)


def words(spec: Spec) -> str:
    """`--dst-type LOCAL`."""
    parts = []
    for option, types, invert in (
        ("--src-type", spec.source, spec.flags & INVERT_SOURCE),
        ("--dst-type", spec.destination, spec.flags & INVERT_DESTINATION),
    ):
        if types:
            names = ",".join(name for bit, name in enumerate(TYPES) if types >> bit & 1)
            parts.append(f"{negation(bool(invert))}{option} {names}")
    if spec.flags & LIMIT_IN:
        parts.append("--limit-iface-in")
    if spec.flags & LIMIT_OUT:
        parts.append("--limit-iface-out")
    return " ".join(parts)


MATCH = Match(name="addrtype", revisions=(0, 1), unpack=unpack, holds=holds, words=words)
