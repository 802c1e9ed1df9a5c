"""Which server a virtual server gives a new connection to, and how often.

Turns are exact shares. A hash of the client is computed where that is plain; otherwise, and where the load
decides, the shares are those over many clients and connections that are alike.

Kernel: net/netfilter/ipvs/ip_vs_{rr,wrr,lc,wlc,sed,nq,ovf,fo,sh,dh,mh,lblc,lblcr,twos}.c
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from kubectl_packetpath.packet import Address, Packet
from kubectl_packetpath.snapshot.ipvs import RealServer, VirtualServer

TABLE_BITS = 8
"""CONFIG_IP_VS_SH_TAB_BITS and CONFIG_IP_VS_DH_TAB_BITS, which no kernel tells; every distribution has 8."""
GOLDEN_RATIO_32 = 0x61C88647
FALLBACK, WITH_PORT = 0x08, 0x10
"""Scheduler flags of sh and mh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """One server that may get the connection."""

    server: RealServer
    share: Fraction
    how: str
    """`1 of 2 in turn`, `by the client's address`, …"""


def picks(service: VirtualServer, packet: Packet) -> tuple[Pick, ...]:
    """Every server that may get this packet's connection; shares sum to 1; empty: nobody does."""
    return _SCHEDULERS.get(service.scheduler, _other)(service, packet)


def takes_new(server: RealServer) -> bool:
    """Weight 0 is quiesced: only connections that it has already go on."""
    full = server.upper_threshold and server.active + server.inactive >= server.upper_threshold
    return server.weight > 0 and not full


def _open(service: VirtualServer) -> tuple[RealServer, ...]:
    return tuple(server for server in service.servers if takes_new(server))


def _shared(parts: Mapping[RealServer, int], how: str) -> tuple[Pick, ...]:
    total = sum(parts.values())
    return tuple(
        Pick(server=server, share=Fraction(part, total), how=how.format(part, total))
        for server, part in parts.items()
    )


def _in_turn(service: VirtualServer, packet: Packet) -> tuple[Pick, ...]:
    del packet
    return _shared(dict.fromkeys(_open(service), 1), "{} of {} in turn")


def _in_weighted_turn(service: VirtualServer, packet: Packet) -> tuple[Pick, ...]:
    del packet
    return _shared({server: server.weight for server in _open(service)}, "{} of {} turns")


def _by_load(service: VirtualServer, packet: Packet) -> tuple[Pick, ...]:
    """The one with the fewest connections (for its weight) at that moment."""
    del packet
    weighted = service.scheduler != "lc"
    parts = {server: server.weight if weighted else 1 for server in _open(service)}
    alike = _shared(parts, "{} of {} where connections are alike")
    return tuple(replace(pick, how=f"the load decides ({_load(pick.server)}), {pick.how}") for pick in alike)


def _load(server: RealServer) -> str:
    return f"now {server.active} active, {server.inactive} inactive"


def _failover(service: VirtualServer, packet: Packet) -> tuple[Pick, ...]:
    """The heaviest, the first of equals."""
    del packet
    best = max(_open(service), key=lambda server: server.weight, default=None)
    return _one(best, "the heaviest of all")


def _one(server: RealServer | None, how: str) -> tuple[Pick, ...]:
    return () if server is None else (Pick(server=server, share=Fraction(1), how=how),)


def _by_client(service: VirtualServer, packet: Packet) -> tuple[Pick, ...]:
    """`sh`: each server fills as many buckets in a row as it weighs."""
    buckets = _filled(service.servers, lambda server: max(server.weight, 1))
    if service.flags & WITH_PORT and packet.sport_chosen:
        return _over_all(buckets, "by the client's address and port, {} of {} buckets")
    port = (packet.sport or 0) if service.flags & WITH_PORT else 0
    value = _folded(packet.source) + port
    found = _bucket(buckets, value)
    if found is not None and not takes_new(found) and service.flags & FALLBACK:
        start = _hash(value)
        others = (_bucket(buckets, value, (start + step) % len(buckets)) for step in range(len(buckets)))
        found = next((each for each in others if each is not None and takes_new(each)), None)
    if found is None or not takes_new(found):
        return ()
    return _one(found, "by the client's address" + (" and port" if service.flags & WITH_PORT else ""))


def _over_all(buckets: list[RealServer], how: str) -> tuple[Pick, ...]:
    return _shared({server: buckets.count(server) for server in buckets if takes_new(server)}, how)


def _by_destination(service: VirtualServer, packet: Packet) -> tuple[Pick, ...]:
    """`dh`: every server one bucket after the other, whatever it weighs."""
    found = _bucket(_filled(service.servers, lambda _: 1), _folded(packet.destination))
    return _one(found, "by the destination address") if found is not None and takes_new(found) else ()


def _filled(servers: Iterable[RealServer], room: Callable[[RealServer], int]) -> list[RealServer]:
    row = [server for server in servers for _ in range(room(server))]
    return [row[index % len(row)] for index in range(1 << TABLE_BITS)] if row else []


def _bucket(buckets: list[RealServer], value: int, offset: int = 0) -> RealServer | None:
    return buckets[(offset + _hash(value)) % len(buckets)] if buckets else None


def _hash(value: int) -> int:
    """`hash_32`."""
    return (value * GOLDEN_RATIO_32 & 0xFFFFFFFF) >> (32 - TABLE_BITS)


def _folded(address: Address) -> int:
    folded = 0
    for start in range(0, len(address.packed), 4):
        folded ^= int.from_bytes(address.packed[start : start + 4], "big")
    return folded


def _other(service: VirtualServer, packet: Packet) -> tuple[Pick, ...]:
    """A hash or a cache that is not computed here: over many clients the weights show."""
    del packet
    how = f"{_HASHES.get(service.scheduler, f'by the scheduler {service.scheduler}')}, {{}} of {{}} over all"
    return _shared({server: server.weight for server in _open(service)}, how)


_HASHES = {
    "mh": "by a hash of the client's address",
    "lblc": "by the destination and the load",
    "lblcr": "by the destination and the load",
}
_SCHEDULERS: Mapping[str, Callable[[VirtualServer, Packet], tuple[Pick, ...]]] = {
    "rr": _in_turn,
    "wrr": _in_weighted_turn,
    **dict.fromkeys(("lc", "wlc", "sed", "nq", "ovf", "twos"), _by_load),
    "fo": _failover,
    "sh": _by_client,
    "dh": _by_destination,
}
