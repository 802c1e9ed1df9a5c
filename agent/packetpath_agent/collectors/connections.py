"""Tracked connections: one flow, or all of them, and how full the table is.

Kernel: net/netfilter/nf_conntrack_netlink.c
"""

import errno
import struct
from pathlib import Path

from kubectl_packetpath.snapshot.conntrack import CpuStatistics, FlowFilter, FlowKey
from kubectl_packetpath.snapshot.netlink import attribute, attribute_map
from packetpath_agent.wire import NETLINK_NETFILTER, Netlink, again, nested, nf_generation, nf_message

SUBSYSTEM = 1
GET, GET_STATS_CPU, GET_STATS = 1, 4, 5
_HEAD = 4
LOADED = "/proc/sys/net/netfilter/nf_conntrack_max"
CTA_FILTER = 25
TO_ADDRESS = 1 << 1
"""CTA_FILTER_F_CTA_IP_DST. Of IPv6 the kernel (6.18) keeps just those that do not match: it takes the result of
ipv6_addr_cmp for a yes, so it is not asked."""
TO_PORT = 1 << 3 | 1 << 5
"""CTA_FILTER_F_CTA_PROTO_NUM and _PROTO_DST_PORT."""
_FLAGS = struct.Struct("=I")
_CPU_FIELDS = {
    2: "found", 4: "invalid", 8: "insert", 9: "insert_failed", 10: "drop", 11: "early_drop",
    12: "error", 13: "search_restart", 14: "clash_resolve", 15: "chain_too_long",
}  # fmt: skip


class ConnectionReader:
    """Asks the connection table of the namespace in which it was made."""

    def __init__(self) -> None:
        """Raises OSError (ENOENT) where connections are not tracked: asking would load the module."""
        if not Path(LOADED).exists():
            raise FileNotFoundError(errno.ENOENT, "the kernel has not loaded connection tracking")
        self._wire = Netlink(NETLINK_NETFILTER)

    def close(self) -> None:
        """Let the socket go."""
        self._wire.close()

    def find(self, key: FlowKey) -> bytes | None:
        """The entry that holds this flow in either direction."""
        wanted = nf_generation(2 if key.source.version == 4 else 10) + nested(1, _tuple(key))
        if key.zone:
            wanted += attribute(18, struct.pack("!H", key.zone))
        try:
            answers = self._wire.get(nf_message(SUBSYSTEM, GET), wanted)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return answers[0][1][_HEAD:]

    def entries(self) -> tuple[bytes, ...]:
        """All connections of both families."""
        found: list[bytes] = []
        for family in (2, 10):
            answers = again(
                lambda family=family: self._wire.dump(nf_message(SUBSYSTEM, GET), nf_generation(family))  # type: ignore[misc]
            )
            found += (body[_HEAD:] for _, body in answers)
        return tuple(found)

    def entries_to(self, key: FlowFilter) -> tuple[bytes, ...]:
        """Those that a client sent to this port, and in IPv4 to this address; the kernel picks them out (5.8 on)."""
        version = key.destination.version
        address = attribute(2 if version == 4 else 4, key.destination.packed)
        protocol = attribute(1, bytes([key.protocol])) + attribute(3, struct.pack("!H", key.dport))
        wanted = nested(1, nested(1, address) + nested(2, protocol))
        flags = TO_PORT | TO_ADDRESS if version == 4 else TO_PORT
        wanted += nested(CTA_FILTER, attribute(1, _FLAGS.pack(flags)) + attribute(2, _FLAGS.pack(0)))
        head = nf_generation(2 if version == 4 else 10)
        answers = again(lambda: self._wire.dump(nf_message(SUBSYSTEM, GET), head + wanted))
        return tuple(body[_HEAD:] for _, body in answers)

    def fill(self) -> tuple[int, int]:
        """Entries in the table now, and the most that it takes."""
        answers = self._wire.get(nf_message(SUBSYSTEM, GET_STATS), nf_generation())
        parts = attribute_map(answers[0][1][_HEAD:])
        return int.from_bytes(parts.get(1, b"\0"), "big"), int.from_bytes(parts.get(2, b"\0"), "big")

    def statistics(self) -> tuple[CpuStatistics, ...]:
        """Counters of each CPU."""
        found = []
        for _, body in self._wire.dump(nf_message(SUBSYSTEM, GET_STATS_CPU), nf_generation()):
            parts = attribute_map(body[_HEAD:])
            numbers = {
                word: int.from_bytes(parts.get(kind, b"\0"), "big") for kind, word in _CPU_FIELDS.items()
            }
            found.append(CpuStatistics(cpu=struct.unpack_from("!H", body, 2)[0], **numbers))
        return tuple(found)


def _tuple(key: FlowKey) -> bytes:
    one, two = (1, 2) if key.source.version == 4 else (3, 4)
    addresses = attribute(one, key.source.packed) + attribute(two, key.destination.packed)
    protocol = attribute(1, bytes([key.protocol]))
    if key.protocol in {1, 58}:
        base = 4 if key.protocol == 1 else 7
        protocol += attribute(base, struct.pack("!H", key.sport))
        protocol += attribute(base + 1, bytes([key.dport >> 8])) + attribute(
            base + 2, bytes([key.dport & 255])
        )
    else:
        protocol += attribute(2, struct.pack("!H", key.sport)) + attribute(3, struct.pack("!H", key.dport))
    return nested(1, addresses) + nested(2, protocol)
