"""The ipvs match: whether IPVS handles the packet.

Kernel: net/netfilter/xt_ipvs.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Address, Packet
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import address_of, negation, network

PROPERTY, PROTO, ADDRESS, PORT, DIRECTION, METHOD, CONTROL_PORT = 1, 2, 4, 8, 16, 32, 64
METHODS = {0: "MASQ", 2: "IPIP", 3: "GATE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What the rule asks for."""

    address: tuple[Address, Address]
    port: int
    protocol: int
    method: int
    control_port: int
    invert: int
    what: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_ipvs_mtinfo`."""
    data = extension.data
    port, protocol, method, control_port, invert, what = struct.unpack_from(">HBBHBB", data, 32)
    return Spec(
        address=(address_of(data, 0, family), address_of(data, 16, family)),
        port=port,
        protocol=protocol,
        method=method,
        control_port=control_port,
        invert=invert,
        what=what,
    )


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Without any virtual server the answer is plain."""
    del packet
    servers = here.state.ipvs()
    if isinstance(servers, Absent) and servers.why is not Why.NOT_LOADED:
        return Undecided("the IPVS servers are not known")
    if isinstance(servers, Absent) or not servers:
        return spec.what == PROPERTY and bool(spec.invert & PROPERTY)
    return Undecided("the IPVS connection decides")


def words(spec: Spec) -> str:
    """`--ipvs`, `--vaddr 10.0.0.1/32 --vport 80`."""
    if spec.what == PROPERTY:
        return f"{negation(bool(spec.invert & PROPERTY))}--ipvs"
    fields = (
        (PROTO, f"--vproto {spec.protocol}"),
        (ADDRESS, f"--vaddr {network(*spec.address)}"),
        (PORT, f"--vport {spec.port}"),
        (DIRECTION, f"--vdir {'REPLY' if spec.invert & DIRECTION else 'ORIGINAL'}"),
        (METHOD, f"--vmethod {METHODS.get(spec.method, spec.method)}"),
        (CONTROL_PORT, f"--vportctl {spec.control_port}"),
    )
    return " ".join(
        negation(bool(spec.invert & bit and bit != DIRECTION)) + text
        for bit, text in fields
        if spec.what & bit
    )


MATCH = Match(
    name="ipvs", unpack=unpack, holds=holds, words=words, certainty="exact without IPVS; forks with it"
)
