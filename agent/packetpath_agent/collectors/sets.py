"""Ipsets and the lists of the `recent` match.

Kernel: net/netfilter/ipset/ip_set_core.c, net/netfilter/xt_recent.c
"""

import errno
import os
from pathlib import Path

from kubectl_packetpath.snapshot.ipsets import Ipset, RecentList
from kubectl_packetpath.snapshot.netlink import attribute, attribute_map, attributes, text
from packetpath_agent.wire import NETLINK_NETFILTER, Netlink, again, name, nf_generation, nf_message

SUBSYSTEM = 6
LIST, GET_BYNAME = 7, 14
PROTOCOL = attribute(1, b"\x07")
_HEAD = 4
RECENT = Path("/proc/thread-self/net/xt_recent")


def ipsets() -> tuple[Ipset, ...]:
    """All sets with all members; raises OSError (EINVAL, ENOENT: the module is not loaded)."""
    wire = Netlink(NETLINK_NETFILTER)
    try:
        answers = again(lambda: wire.dump(nf_message(SUBSYSTEM, LIST), nf_generation(2) + PROTOCOL))
        found: dict[str, Ipset] = {}
        for _, body in answers:
            parts = attribute_map(body[_HEAD:])
            which = text(parts[2])
            members = tuple(member for kind, member in attributes(parts.get(8, b"")) if kind == 7)
            before = found.get(which)
            if before is None or 3 in parts:
                known = before.members if before is not None and isinstance(before.members, tuple) else ()
                found[which] = Ipset(
                    index=_index(wire, which),
                    name=which,
                    type=text(parts.get(3, b"")),
                    family=parts.get(5, b"\0")[0],
                    revision=parts.get(4, b"\0")[0],
                    head=parts.get(7, b""),
                    members=(*known, *members),
                )
            elif isinstance(before.members, tuple):
                found[which] = Ipset(
                    index=before.index, name=which, type=before.type, family=before.family,
                    revision=before.revision, head=before.head, members=(*before.members, *members),
                )  # fmt: skip
        return tuple(found.values())
    finally:
        wire.close()


def _index(wire: Netlink, which: str) -> int:
    answer = wire.get(nf_message(SUBSYSTEM, GET_BYNAME), nf_generation(2) + PROTOCOL + name(2, which))
    value = attribute_map(answer[0][1][_HEAD:]).get(11)
    if value is None:
        raise OSError(errno.EOPNOTSUPP, f"the kernel gives no number for ipset {which}")
    return int.from_bytes(value, "big")


def recent() -> tuple[RecentList, ...]:
    """All lists of the recent match."""
    if not RECENT.is_dir():
        return ()
    hertz = os.sysconf("SC_CLK_TCK")
    return tuple(
        RecentList(name=path.name, text=path.read_text(), jiffies=0, hertz=hertz)
        for path in sorted(RECENT.iterdir())
    )
