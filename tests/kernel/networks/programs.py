"""Tiny programs that really sit at a device: classic ones at clsact by `tc`, eBPF ones at tcx by the system call.

Kernel: net/sched/cls_bpf.c, kernel/bpf/tcx.c, include/uapi/linux/bpf.h
"""

import ctypes
import os
import platform
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from packetpath_agent.netns import inside
from testbed.netns import Namespace, succeed

BPF_SYSCALL = {"x86_64": 321, "aarch64": 280}
PROG_LOAD, LINK_CREATE = 5, 28
SCHED_CLS, TCX_INGRESS = 3, 46
TC_OK, TC_SHOT = 0, 2
"""What a program says of a packet, at tcx too."""
MOVE_TO_R0, EXIT = 0xB7, 0x95
_LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def clsact(namespace: Namespace, device: str, *, drops: bool) -> Iterator[None]:
    """A classic program at the ingress of a device."""
    verdict = TC_SHOT if drops else TC_OK
    succeed([*namespace.enter, "tc", "qdisc", "replace", "dev", device, "clsact"])
    words = f"filter add dev {device} ingress bpf direct-action bytecode".split()
    succeed([*namespace.enter, "tc", *words, f"1,6 0 0 {verdict},"])
    try:
        yield
    finally:
        succeed([*namespace.enter, "tc", "qdisc", "del", "dev", device, "clsact"])


@contextmanager
def tcx(namespace: Namespace, device: str, *, drops: bool) -> Iterator[None]:
    """An eBPF program at the tcx hook of a device, where `tc` shows nothing."""
    program = _load(TC_SHOT if drops else TC_OK)
    with namespace.path.open() as handle, inside(handle.fileno()):
        link = _bpf(
            LINK_CREATE, struct.pack("=IIIIQQ", program, socket.if_nametoindex(device), TCX_INGRESS, 0, 0, 0)
        )
    try:
        yield
    finally:
        os.close(link)
        os.close(program)


def _load(verdict: int) -> int:
    """A program that says the same of every packet."""
    code = ctypes.create_string_buffer(
        struct.pack("=BBhi", MOVE_TO_R0, 0, 0, verdict) + struct.pack("=BBhi", EXIT, 0, 0, 0)
    )
    licence = ctypes.create_string_buffer(b"GPL")
    return _bpf(
        PROG_LOAD, struct.pack("=IIQQ", SCHED_CLS, 2, ctypes.addressof(code), ctypes.addressof(licence))
    )


def _bpf(command: int, attributes: bytes) -> int:
    """The system call; a file descriptor."""
    asked = ctypes.create_string_buffer(attributes.ljust(128, b"\0"))
    number = BPF_SYSCALL[platform.machine()]
    descriptor = int(_LIBC.syscall(number, command, asked, len(asked) - 1))
    if descriptor < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return descriptor
