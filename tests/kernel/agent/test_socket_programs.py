"""Programs at control groups, as the agent finds them and a path tells them; what they do with real sockets."""

import ctypes
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import pytest

from kubectl_packetpath.packet import TCP, Packet
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.trace import StepKind
from kubectl_packetpath.walk.explore import Originated, run
from packetpath_agent.collectors.cgroups import ATTACH_TYPES, mounted
from packetpath_agent.collectors.programs import BPF_SYSCALL
from packetpath_agent.live import LiveNode
from packetpath_agent.netns import Found
from testbed.netns import OWN, Namespace, succeed

pytestmark = pytest.mark.kernel
PROG_LOAD, PROG_ATTACH = 5, 8
SKB, SOCK, SOCK_ADDR = 8, 9, 18
"""BPF_PROG_TYPE_CGROUP_*."""
TYPES = {"cgroup_inet_ingress": SKB, "cgroup_inet_egress": SKB, "cgroup_inet_sock_create": SOCK}
ALLOW = struct.pack("=BBhiBBhi", 0xB7, 0, 0, 1, 0x95, 0, 0, 0)
"""r0 = 1; exit"""
REAL, ELSEWHERE = ("127.0.0.1", 8080), ("192.0.2.9", 80)
WAIT = "import sys; print('in', flush=True); sys.stdin.read()"
CONNECT = (
    "import socket; s = socket.create_connection(('192.0.2.9', 80), 5); print(*s.getpeername(), flush=True)"
)
SERVE = "import socket; s = socket.create_server(('127.0.0.1', 8080)); print('in', flush=True); s.accept(); s.accept()"
_LIBC = ctypes.CDLL(None, use_errno=True)


def translating() -> bytes:
    """A program that makes connect() go to the real server, as a socket load balancer does."""
    address = struct.unpack("=i", socket.inet_aton(REAL[0]))[0]
    port = socket.htons(REAL[1])
    store = [
        struct.pack("=BBhi", 0xB4, 2, 0, address),  # w2 = address
        struct.pack("=BBhi", 0x63, 0x21, 4, 0),  # ctx->user_ip4 = w2
        struct.pack("=BBhi", 0xB4, 2, 0, port),
        struct.pack("=BBhi", 0x63, 0x21, 24, 0),  # ctx->user_port = w2
    ]
    return b"".join(store) + ALLOW


def bpf(command: int, *parts: bytes) -> int:
    """The system call, or its error."""
    asked = ctypes.create_string_buffer(b"".join(parts).ljust(128, b"\0"))
    result = _LIBC.syscall(BPF_SYSCALL[os.uname().machine], command, asked, 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


@dataclass(slots=True, kw_only=True)
class Pod:
    """A namespace whose processes are in a control group of their own."""

    namespace: Namespace
    group: Path
    stack: ExitStack
    pids: list[int] = field(default_factory=list)

    def attach(self, name: str, instructions: bytes = ALLOW) -> None:
        """Put a program at the group, until the group is gone."""
        code, license_ = ctypes.create_string_buffer(instructions), ctypes.create_string_buffer(b"GPL\0")
        kind, number = TYPES.get(name, SOCK_ADDR), ATTACH_TYPES[name]
        head = struct.pack(
            "=IIQQ", kind, len(instructions) // 8, ctypes.addressof(code), ctypes.addressof(license_)
        )
        program = bpf(PROG_LOAD, head.ljust(68, b"\0"), struct.pack("=I", number))
        folder = os.open(self.group, os.O_RDONLY | os.O_DIRECTORY)
        try:
            bpf(PROG_ATTACH, struct.pack("=IIII", folder, program, number, 0))
        finally:
            os.close(folder)
            os.close(program)

    def start(self, code: str) -> subprocess.Popen[bytes]:
        """Run Python there."""
        line = f'echo $$ > {self.group}/cgroup.procs && exec "$@"'
        words = ["sh", "-c", line, "sh", *self.namespace.enter, sys.executable, "-c", code]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.stack.callback(process.communicate, timeout=60)
        self.stack.callback(process.kill)
        self.pids.append(process.pid)
        return process


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pod]:
    """One with a process that waits."""
    groups = tmp_path / "groups"
    groups.mkdir()
    namespace = Namespace(name=f"{OWN}groups")
    if namespace.exists():
        namespace.delete()
    with ExitStack() as stack:
        succeed(["mount", "-t", "cgroup2", "none", str(groups)])
        stack.callback(succeed, ["umount", "-l", str(groups)])
        mounted.cache_clear()
        stack.callback(mounted.cache_clear)
        group = groups / f"{OWN}groups"
        group.mkdir()
        stack.callback(group.rmdir)
        namespace.create()
        stack.callback(namespace.delete)
        namespace.ip("link set lo up", "route add 192.0.2.0/24 dev lo")
        made = Pod(namespace=namespace, group=group, stack=stack)
        waiting = made.start(WAIT)
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == b"in\n"
        path = Path(f"/proc/{waiting.pid}/ns/net")
        found = Found(identity=path.stat().st_ino, path=path, pid=waiting.pid, pids=(waiting.pid,))
        monkeypatch.setattr("packetpath_agent.netns.others", lambda: (found,))
        yield made


@pytest.fixture
def node(pod: Pod) -> Iterator[LiveNode]:
    """The machine and that pod."""
    assert pod.pids
    node = LiveNode("n")
    try:
        yield node
    finally:
        node.close()


@pytest.mark.parametrize("name", ATTACH_TYPES)
def test_a_program_is_found_at_its_place(pod: Pod, node: LiveNode, name: str) -> None:
    """At the group of the pod's processes; nothing is said of the node's own."""
    pod.attach(name)
    (state,) = (each for each in node.namespaces() if not each.is_host)

    assert (state.socket_programs(), node.host().socket_programs()) == ((name,), ())


def test_a_connection_goes_elsewhere_and_the_path_says_that_it_may(pod: Pod, node: LiveNode) -> None:
    """A program translates what a socket connects to; no rule or route knows of it."""
    pod.attach("cgroup_inet4_connect", translating())
    server = pod.start(SERVE)
    assert server.stdout is not None
    assert server.stdout.readline() == b"in\n"
    client = pod.start(CONNECT)
    assert client.stdout is not None

    told = client.stdout.readline().decode().split()
    (state,) = (each for each in node.namespaces() if not each.is_host)
    packet = Packet(
        source=ip_address("0.0.0.0"), destination=ip_address(ELSEWHERE[0]), protocol=TCP, dport=ELSEWHERE[1]
    )
    (path,) = run(node, Originated(namespace=state.identity, packet=packet))

    assert told == [REAL[0], str(REAL[1])]
    doubts = [step.text for hop in path.hops for step in hop.steps if step.kind is StepKind.ASSUMED]
    assert any("cgroup_inet4_connect" in text for text in doubts)
    assert path.weight is None


@pytest.mark.parametrize("name", ["cgroup_inet6_connect", "cgroup_udp4_sendmsg", "cgroup_inet_ingress"])
def test_a_program_for_others_is_no_doubt(pod: Pod, node: LiveNode, name: str) -> None:
    """One for the other IP version, for datagrams, or for what comes in."""
    pod.attach(name)
    (state,) = (each for each in node.namespaces() if not each.is_host)
    packet = Packet(source=ip_address("0.0.0.0"), destination=ip_address("192.0.2.9"), protocol=TCP, dport=80)

    (path,) = run(node, Originated(namespace=state.identity, packet=packet))

    assert not [step for hop in path.hops for step in hop.steps if step.kind is StepKind.ASSUMED]


@pytest.mark.parametrize(
    ("own", "why"),
    [
        (":", "only a part of cgroup2 is mounted"),
        ("mount -t cgroup2 none /mnt", "a process is outside of the control groups that can be seen"),
    ],
)
def test_groups_that_cannot_be_seen_are_never_a_silent_no(
    pod: Pod, node: LiveNode, monkeypatch: pytest.MonkeyPatch, own: str, why: str
) -> None:
    """Where the agent's view begins below the root of the groups, the pod's may be beside it."""
    line = f"{own} && echo in && exec sleep 60"
    group = pod.group.with_name(f"{OWN}elsewhere")
    group.mkdir()
    pod.stack.callback(group.rmdir)
    enter = f"echo $$ > {group}/cgroup.procs && exec unshare --cgroup --mount sh -c '{line}'"
    witness = subprocess.Popen(["sh", "-c", enter], stdout=subprocess.PIPE)
    pod.stack.callback(witness.communicate, timeout=60)
    pod.stack.callback(witness.kill)
    assert witness.stdout is not None
    assert witness.stdout.readline() == b"in\n"
    monkeypatch.setenv("PACKETPATH_HOST_ROOT", f"/proc/{witness.pid}/root")
    mounted.cache_clear()
    (state,) = (each for each in node.namespaces() if not each.is_host)

    said = state.socket_programs()

    assert isinstance(said, Absent)
    assert (said.why, why in said.detail) == (Why.UNREADABLE, True)
