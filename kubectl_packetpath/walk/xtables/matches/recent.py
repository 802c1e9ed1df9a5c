"""The recent match: whether an address was seen not long ago.

kube-proxy in iptables mode keeps session affinity with it.

Kernel: net/netfilter/xt_recent.c
"""

import re
import struct
from dataclasses import dataclass
from ipaddress import ip_address

from kubectl_packetpath.packet import Address, Packet
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.ipsets import RecentList
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match, Undecided
from kubectl_packetpath.walk.xtables.fields import address_of, c_string, negation

CHECK, SET, UPDATE, REMOVE, TTL, REAP = 1, 2, 4, 8, 16, 32
EDGE_SECONDS = 1
"""A packet comes a moment later than the list was read."""
_ENTRY = re.compile(r"src=(\S+) ttl: (\d+) last_seen: \d+ oldest_pkt: \d+(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What the rule asks for."""

    seconds: int
    hits: int
    what: int
    invert: bool
    name: str
    by_destination: bool
    mask: Address


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_recent_mtinfo` or `_v1`."""
    data = extension.data
    seconds, hits, what, invert = struct.unpack_from("<IIBB", data)
    whole = b"\xff" * 16
    return Spec(
        seconds=seconds,
        hits=hits,
        what=what,
        invert=bool(invert),
        name=c_string(data[10:210]),
        by_destination=bool(data[210]),
        mask=address_of(data if extension.revision == 1 else whole * 15, 212, family),
    )


def holds(spec: Spec, here: Here, packet: Packet) -> Decision:
    """Look into the list as it was read."""
    if spec.what & SET:
        return not spec.invert
    seen = here.state.recent(spec.name)
    if isinstance(seen, Absent):
        return Undecided(f'the list "{spec.name}" of recent addresses is not known')
    address = packet.destination if spec.by_destination else packet.source
    masked = int(address) & int(spec.mask)
    ttl = _ttl(here, packet) if spec.what & TTL else None
    stamps = _stamps(seen, masked, address.version, ttl)
    if stamps is None:
        return spec.invert
    if spec.what & REMOVE:
        return not spec.invert
    if spec.seconds and not seen.jiffies:
        return Undecided(f'how long ago the entry of list "{spec.name}" was seen is not known')
    found = _often_enough(spec, seen, stamps)
    if found is None:
        return Undecided(f'an entry of list "{spec.name}" is just about {spec.seconds} seconds old')
    return found != spec.invert


def _ttl(here: Here, packet: Packet) -> int:
    """Of a packet that is forwarded, the one with which it came."""
    return packet.ttl + (here.in_device is not None and here.out_device is not None)


def _stamps(seen: RecentList, address: int, version: int, ttl: int | None) -> list[int] | None:
    """The moments at which an address was seen, in jiffies; None: it is not in the list."""
    for line in seen.text.splitlines():
        fields = _ENTRY.match(line)
        if fields is None:
            continue
        entry = ip_address(fields[1])
        if entry.version == version and int(entry) == address and ttl in {None, int(fields[2])}:
            return [int(each) for each in re.findall(r"\d+", fields[3])]
    return None


def _often_enough(spec: Spec, seen: RecentList, stamps: list[int]) -> bool | None:
    """None where it depends on a stamp that is about to grow too old, or has only just done so."""
    needed = max(spec.hits, 1)
    if not spec.seconds:
        return len(stamps) >= needed
    since = seen.jiffies - spec.seconds * seen.hertz
    doubt = (EDGE_SECONDS + seen.slack_seconds) * seen.hertz
    if sum(stamp > since + doubt for stamp in stamps) >= needed:
        return True
    return None if sum(stamp >= since - doubt for stamp in stamps) >= needed else False


def words(spec: Spec) -> str:
    """`--rcheck --seconds 10800 --reap --name KUBE-SEP-X --mask 255.255.255.255 --rsource`."""
    parts = [negation(spec.invert).strip()] if spec.invert else []
    for bit, name in ((SET, "--set"), (CHECK, "--rcheck"), (UPDATE, "--update"), (REMOVE, "--remove")):
        if spec.what & bit:
            parts.append(name)
    if spec.seconds:
        parts.append(f"--seconds {spec.seconds}")
    if spec.what & REAP:
        parts.append("--reap")
    if spec.hits:
        parts.append(f"--hitcount {spec.hits}")
    if spec.what & TTL:
        parts.append("--rttl")
    parts += [f"--name {spec.name}", f"--mask {spec.mask}", "--rdest" if spec.by_destination else "--rsource"]
    return " ".join(parts)


MATCH = Match(
    name="recent",
    revisions=(0, 1),
    unpack=unpack,
    holds=holds,
    words=words,
    certainty="exact at the moment of the reading",
)
