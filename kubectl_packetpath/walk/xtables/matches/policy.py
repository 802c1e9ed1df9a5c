"""The policy match: whether IPsec protects the packet.

Kernel: net/netfilter/xt_policy.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import address_of, negation, network

IN, OUT, NONE, STRICT = 1, 2, 4, 8
SOURCE, DESTINATION, PROTO, MODE, SPI, REQID = 1, 2, 4, 8, 16, 32
ELEMENT, MOST = 76, 4
MODES = ("transport", "tunnel")
PROTOCOLS = {50: "esp", 51: "ah", 108: "ipcomp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Flags, and the elements as words."""

    flags: int
    elements: tuple[str, ...]


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_policy_info`."""
    data = extension.data
    flags, count = struct.unpack_from("<HH", data, ELEMENT * MOST)
    if count > MOST:
        raise ValueError(f"{count} elements")
    elements = (data[at : at + ELEMENT] for at in range(0, count * ELEMENT, ELEMENT))
    return Spec(flags=flags, elements=tuple(_element(each, family) for each in elements))


def _element(data: bytes, family: int) -> str:
    source, source_mask, destination, destination_mask = (
        address_of(data, at, family) for at in (0, 16, 32, 48)
    )
    (spi,) = struct.unpack_from(">I", data, 64)
    (reqid,) = struct.unpack_from("<I", data, 68)
    proto, mode, asked, invert = data[72:76]
    fields = (
        (REQID, f"--reqid {reqid}"),
        (SPI, f"--spi 0x{spi:x}"),
        (PROTO, f"--proto {PROTOCOLS.get(proto, proto)}"),
        (MODE, f"--mode {MODES[mode] if mode < len(MODES) else mode}"),
        (DESTINATION, f"--tunnel-dst {network(destination, destination_mask)}"),
        (SOURCE, f"--tunnel-src {network(source, source_mask)}"),
    )
    return " ".join(negation(bool(invert & bit)) + text for bit, text in fields if asked & bit)


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Without any IPsec policy the answer is plain."""
    del packet
    policies = here.state.xfrm_policies()
    if isinstance(policies, Absent) and policies.why is not Why.NOT_LOADED:
        return Undecided("the IPsec policies are not known")
    if isinstance(policies, Absent) or not policies:
        return bool(spec.flags & NONE)
    return Undecided("IPsec decides")


def words(spec: Spec) -> str:
    """`--dir in --pol ipsec --mode tunnel`."""
    parts = ["--dir in" if spec.flags & IN else "--dir out"]
    if spec.flags & NONE:
        return f"{parts[0]} --pol none"
    parts.append("--pol ipsec")
    if spec.flags & STRICT:
        parts.append("--strict")
    return " ".join([*parts, " --next ".join(spec.elements)]).rstrip()


MATCH = Match(
    name="policy", unpack=unpack, holds=holds, words=words, certainty="exact without IPsec; forks with it"
)
