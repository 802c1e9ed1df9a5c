"""A router to ask: the kernel by `ip route get`, the walk by what it reads of the same namespace."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from kernel.iproute import IprouteState

from kubectl_packetpath.packet import TCP, UDP, Packet
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.walk.here import Here
from packetpath_agent.netns import inside
from testbed.netns import OWN, Namespace, succeed

OWN_ADDRESSES = {4: ("10.0.0.1/24", "10.0.1.1/24"), 6: ("fd00:0::1/64", "fd00:1::1/64")}
"""Of its two devices, d0 and d1."""


@pytest.fixture(autouse=True)
def one_processor() -> Iterator[None]:
    """What IPv6 keeps of an answer it keeps per processor: ask all questions on the same."""
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_of_them)})
    yield
    os.sched_setaffinity(0, all_of_them)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A router with two devices whose other ends are in a second namespace."""
    router, ends = Namespace(name=f"{OWN}route"), Namespace(name=f"{OWN}route-ends")
    for each in (router, ends):
        if each.exists():
            each.delete()
        each.create()
    for number in (0, 1):
        router.ip(f"link add d{number} type veth peer name d{number} netns {ends.name}")
        ends.ip(f"link set d{number} up")
        router.ip(f"link set d{number} up")
        router.ip(f"addr add {OWN_ADDRESSES[4][number]} dev d{number}")
        router.ip(f"addr add {OWN_ADDRESSES[6][number]} dev d{number} nodad")
    router.sysctls(
        {
            "net/ipv4/ip_forward": 1,
            "net/ipv6/conf/all/forwarding": 1,
            "net/ipv4/conf/all/rp_filter": 0,
            "net/ipv4/conf/d0/rp_filter": 0,
            "net/ipv4/conf/d1/rp_filter": 0,
        }
    )
    yield router
    router.delete()
    ends.delete()


def at_once(namespace: Namespace) -> None:
    """Give d0 its link-local address without a proof that nobody else has it; other addresses and routes are gone."""
    namespace.sysctls({"net/ipv6/conf/d0/accept_dad": 0})
    namespace.ip("link set d0 down", "link set d0 up")
    command = ["ip", "-n", namespace.name, "-6", "-json", "address", "show", "dev", "d0", "scope", "link"]
    deadline = time.monotonic() + 10
    while (
        not any(row.get("addr_info") for row in json.loads(succeed(command))) and time.monotonic() < deadline
    ):
        time.sleep(0.02)


def socket_in(
    namespace: Namespace, version: int, kind: socket.SocketKind, protocol: int = 0
) -> socket.socket:
    """A socket that stays there."""
    handle = os.open(namespace.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with inside(handle):
            return socket.socket({4: socket.AF_INET, 6: socket.AF_INET6}[version], kind, protocol)
    finally:
        os.close(handle)


def kernel_answer(namespace: Namespace, packet: Packet, more: str = "") -> dict[str, Any] | str:
    """`ip route get`: the route, or the error's text."""
    name = {TCP: "tcp", UDP: "udp"}[packet.protocol]
    words = f"route get {packet.destination} mark {packet.mark} ipproto {name} sport {packet.sport} dport {packet.dport}"
    words += f" tos {packet.tos:#04x}" if packet.family == 4 else ""
    command = ["ip", f"-{packet.family}", "-n", namespace.name, "-j", *words.split(), *more.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return cast(dict[str, Any], json.loads(done.stdout)[0])
    return done.stderr.strip().removeprefix("RTNETLINK answers: ")


def here_of(namespace: Namespace) -> Here:
    """The state as it is now."""
    return Here(node="n", state=cast(NamespaceState, IprouteState(namespace.name)))


def said(answer: dict[str, Any]) -> tuple[str, str, str]:
    """The kernel's answer in the same form; where it was asked with a source, this tells another one."""
    gateway = answer.get("gateway") or answer.get("via", {}).get("host", "")
    return answer.get("dev", ""), gateway, answer.get("prefsrc", "")
