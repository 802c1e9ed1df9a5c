"""Queueing disciplines that lose packets on purpose: netem, which chaos experiments and network labs put on devices.

Every device has a discipline, and hardly any of them is of this kind: the table is read only where the name of a
device's own (IFLA_QDISC) says that it may be.

Kernel: net/sched/sch_api.c, net/sched/sch_netem.c, include/uapi/linux/pkt_sched.h
"""

import struct

from kubectl_packetpath.snapshot.links import Netem
from kubectl_packetpath.snapshot.netlink import attribute_map, text
from packetpath_agent.wire import Netlink, again

RTM_GETQDISC = 38
TCA_KIND, TCA_OPTIONS = 1, 2
TC_ROOT = 0xFFFFFFFF
HEAD, OPTIONS = struct.Struct("=BxxxiIII"), struct.Struct("=6I")
NETEM_CORRUPT, NETEM_LOSS = 4, 5
QUIET = {"", "noqueue", "noop", "pfifo_fast", "pfifo", "bfifo", "fq", "fq_codel", "codel", "cake", "sfq"}
"""Disciplines under which there is no other one."""


def netems(wire: Netlink, own: dict[int, str]) -> dict[int, Netem]:
    """What netem does on devices of the present namespace, by index; `own`: the name of each device's own discipline."""
    if all(name in QUIET for name in own.values()):
        return {}
    found: dict[int, Netem] = {}
    for _, body in again(lambda: wire.dump(RTM_GETQDISC, bytes(HEAD.size))):
        _, index, _, parent, _ = HEAD.unpack_from(body)
        attributes = attribute_map(body[HEAD.size :])
        if text(attributes.get(TCA_KIND, b"")) == "netem":
            found[index] = _netem(attributes.get(TCA_OPTIONS, b""), at_root=parent == TC_ROOT)
    return found


def _netem(options: bytes, *, at_root: bool) -> Netem:
    if len(options) < OPTIONS.size:
        return Netem(unsure=True)
    _, _, loss, _, _, _ = OPTIONS.unpack_from(options)
    more = attribute_map(options[OPTIONS.size :])
    corrupt = more.get(NETEM_CORRUPT, b"")
    spoils = len(corrupt) >= 4 and struct.unpack_from("=I", corrupt)[0] != 0
    return Netem(loss=loss, unsure=not at_root or spoils or NETEM_LOSS in more)
