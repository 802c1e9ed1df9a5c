"""Devices where an eBPF program or a classifier may decide about a packet before any rule sees it.

Kernel: net/sched/cls_api.c, net/sched/sch_ingress.c (clsact), kernel/bpf/tcx.c, drivers/net/netkit.c
"""

import ctypes
import errno
import os
import platform
import struct

from packetpath_agent.wire import Netlink, again

RTM_GETTFILTER = 46
TC_INGRESS, TC_EGRESS = 0xFFFFFFF2, 0xFFFFFFF3
BPF_SYSCALL = {"x86_64": 321, "aarch64": 280, "ppc64le": 361, "s390x": 351, "riscv64": 280}
BPF_PROG_QUERY = 16
ATTACH_TYPES = (46, 47, 54, 55)
"""BPF_TCX_INGRESS, BPF_TCX_EGRESS, BPF_NETKIT_PRIMARY, BPF_NETKIT_PEER."""
_LIBC = ctypes.CDLL(None, use_errno=True)


def devices(wire: Netlink, indexes: tuple[int, ...]) -> frozenset[int]:
    """Those of these devices of the present namespace that have a filter or a program at clsact or tcx."""
    return frozenset(index for index in indexes if _has_filters(wire, index) or _has_programs(index))


def _has_filters(wire: Netlink, index: int) -> bool:
    for parent in (TC_INGRESS, TC_EGRESS):
        wanted = struct.pack("=BxHiIII", 0, 0, index, 0, parent, 0)
        try:
            if again(lambda wanted=wanted: wire.dump(RTM_GETTFILTER, wanted)):  # type: ignore[misc]
                return True
        except OSError as error:
            if error.errno not in {errno.EINVAL, errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV}:
                raise
    return False


def _has_programs(index: int) -> bool:
    return any(query(index, kind) > 0 for kind in ATTACH_TYPES)


def query(target: int, kind: int, flags: int = 0) -> int:
    """How many programs hang there (a device's index, or an open control group); 0 where the kernel has no such place."""
    number = BPF_SYSCALL.get(platform.machine())
    if number is None:
        return 0
    asked = ctypes.create_string_buffer(
        struct.pack("=IIIIQII", target, kind, flags, 0, 0, 0, 0).ljust(64, b"\0")
    )
    if _LIBC.syscall(number, BPF_PROG_QUERY, asked, 64) != 0:
        code = ctypes.get_errno()
        if code in {errno.EINVAL, errno.ENODEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOENT, errno.ENXIO}:
            return 0
        if code != errno.ENOSPC:
            raise OSError(code, f"asking for programs: {os.strerror(code)}")
        return 1
    return int(struct.unpack_from("=I", asked, 24)[0])
