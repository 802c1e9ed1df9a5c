"""Ipsets and the lists of the `recent` match.

Kernel: net/netfilter/ipset/ip_set_core.c, net/netfilter/xt_recent.c
"""

import errno
import os
import struct
from pathlib import Path

from kubectl_packetpath.snapshot import NOT_ASKED
from kubectl_packetpath.snapshot.ipsets import Ipset, RecentList
from kubectl_packetpath.snapshot.netlink import attribute, attribute_map, attributes, text
from packetpath_agent.clock import kernel_clock
from packetpath_agent.wire import NETLINK_NETFILTER, Netlink, again, name, nf_generation, nf_message

SUBSYSTEM = 6
LIST, GET_BYNAME = 7, 14
SETNAME, TYPENAME, REVISION, FAMILY, FLAGS, DATA, ADT, INDEX = 2, 3, 4, 5, 6, 7, 8, 11
HEADERS_ONLY = attribute(FLAGS | 0x4000, struct.pack("!I", 1 << 2))
"""IPSET_FLAG_LIST_HEADER; the kernel wants numbers marked as being in network order."""
PROTOCOL = attribute(1, b"\x07")
_HEAD = 4
LOADED = "/sys/module/ip_set"
RECENT = Path("/proc/thread-self/net/xt_recent")


class IpsetReader:
    """Reads the ipsets of the namespace in which it was made."""

    def __init__(self) -> None:
        """Raises OSError (ENOENT) where there are no ipsets: asking would load the module."""
        if not Path(LOADED).exists():
            raise FileNotFoundError(errno.ENOENT, "the kernel has not loaded ipsets")
        self._wire = Netlink(NETLINK_NETFILTER)

    def close(self) -> None:
        """Let the socket go."""
        self._wire.close()

    def _dump(self, wanted: bytes) -> list[dict[int, bytes]]:
        payload = nf_generation(2) + PROTOCOL + wanted
        answers = again(lambda: self._wire.dump(nf_message(SUBSYSTEM, LIST), payload))
        return [attribute_map(body[_HEAD:]) for _, body in answers]

    def headers(self) -> tuple[Ipset, ...]:
        """All sets without members; raises OSError (EINVAL: the kernel has no ipsets)."""
        return tuple(
            Ipset(
                index=self._index(text(parts[SETNAME])),
                name=text(parts[SETNAME]),
                type=text(parts[TYPENAME]),
                family=parts[FAMILY][0],
                revision=parts[REVISION][0],
                head=parts.get(DATA, b""),
                members=NOT_ASKED,
            )
            for parts in self._dump(HEADERS_ONLY)
            if TYPENAME in parts
        )

    def members(self, which: str) -> tuple[bytes, ...]:
        """All members of one set."""
        return tuple(
            member
            for parts in self._dump(name(SETNAME, which))
            for kind, member in attributes(parts.get(ADT, b""))
            if kind == DATA
        )

    def _index(self, which: str) -> int:
        wanted = nf_generation(2) + PROTOCOL + name(SETNAME, which)
        answer = self._wire.get(nf_message(SUBSYSTEM, GET_BYNAME), wanted)
        value = attribute_map(answer[0][1][_HEAD:]).get(INDEX)
        if value is None:
            raise OSError(errno.EOPNOTSUPP, f"the kernel gives no number for ipset {which}")
        return int.from_bytes(value, "big")


def recent() -> tuple[RecentList, ...]:
    """All lists of the recent match."""
    if not RECENT.is_dir():
        return ()
    lists = sorted(RECENT.iterdir())
    clock = kernel_clock() if lists else None
    return tuple(
        RecentList(
            name=os.fsencode(path.name).decode("utf-8", "backslashreplace"),
            text=path.read_text(),
            jiffies=clock.now(),
            hertz=clock.hertz,
            slack_seconds=clock.slack_seconds,
        )
        for path in lists
        if clock is not None
    )
