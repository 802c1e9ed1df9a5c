"""The ipvs match: whether IPVS handles the packet.

Kernel: net/netfilter/xt_ipvs.c
"""

import struct
from dataclasses import dataclass

from kubectl_packetpath.packet import Address, Packet, State
from kubectl_packetpath.snapshot.ipvs import IpvsConnection
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import address_of, negation, network

PROPERTY, PROTO, ADDRESS, PORT, DIRECTION, METHOD, CONTROL_PORT = 1, 2, 4, 8, 16, 32, 64
METHODS = {0: "MASQ", 2: "IPIP", 3: "GATE"}
METHOD_NUMBERS = {"masquerade": 0, "local": 1, "tunnel": 2, "route": 3, "bypass": 4}


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
    """Only of what IPVS has handled; all but the plain property only of a request on its way to the server."""
    del here
    known = packet.balanced
    if spec.what == PROPERTY:
        return (known is not None) != bool(spec.invert & PROPERTY)
    if known is None or not _is_request(packet, known):
        return False
    if spec.what & CONTROL_PORT:
        return Undecided("the port of the controlling connection is not known")
    checks = (
        (PROTO, packet.protocol == spec.protocol),
        (ADDRESS, not (int(known.virtual) ^ int(spec.address[0])) & int(spec.address[1])),
        (PORT, known.virtual_port == spec.port),
        (METHOD, METHOD_NUMBERS.get(known.forwarding) == spec.method),
    )
    if any(spec.what & bit and fits == bool(spec.invert & bit) for bit, fits in checks):
        return False
    return not spec.what & DIRECTION or _direction(spec, packet)


def _is_request(packet: Packet, known: IpvsConnection) -> bool:
    """The kernel looks the connection up by client and server (`conn_out_get`), so before any masquerade."""
    return (packet.source, packet.sport, packet.destination, packet.dport) == (
        known.client,
        known.client_port,
        known.server,
        known.server_port,
    )


def _direction(spec: Spec, packet: Packet) -> bool:
    connection = packet.connection
    if connection is None or connection.state is State.UNTRACKED:
        return False
    return connection.is_reply == bool(spec.invert & DIRECTION)


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


MATCH = Match(name="ipvs", unpack=unpack, holds=holds, words=words, certainty="exact; forks on --vportctl")
