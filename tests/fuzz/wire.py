"""Packets put on the router's wires, and all that the kernel is seen to do with each of them.

Nothing waits: this process stays on one CPU, where the kernel works off frames in the order in which they came,
so a frame of a kind of its own that is heard behind the packet says that the packet's way has come to its end.
The rules of the table `observer` switch nftables' own trace on, which tells of every rule that matched.

Kernel: net/core/dev.c enqueue_to_backlog, net/netfilter/nf_tables_trace.c, net/packet/af_packet.c
"""

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from fuzz.case import Shot
from fuzz.frames import Seen, data_of, parse, parse_frame
from fuzz.ground import OWN_MAC, WIRES, Ground, mac

from kubectl_packetpath.snapshot.netlink import attribute_map
from packetpath_agent.netns import inside
from packetpath_agent.wire import NETLINK_NETFILTER

ETH_P_ALL, SENTINEL = 0x0003, 0x88B5
SO_RCVMARK, PACKET_OUTGOING, PACKET_IGNORE_OUTGOING = 75, 4, 23
SOL_NETLINK, ADD_MEMBERSHIP, NFNLGRP_NFTRACE, TRACE = 270, 1, 9, 0x0A11
POLICY, RETURN, RULE = 1, 2, 3
SENTINEL_FRAME = bytes(12) + struct.pack("!H", SENTINEL) + b"packetpath".ljust(46, b"\0")
DEADLINE_SECONDS = 10
NO_FAREWELL = struct.pack("ii", 1, 0)
"""SO_LINGER: a socket that is closed sends a reset at once, and nothing afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What left by a device."""

    device: str
    seen: Seen
    mark: int
    destination_mac: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """One message of nftables' trace."""

    id: int
    family: int
    table: str
    chain: str
    kind: int
    handle: int
    verdict: int
    mark: int
    iif: int
    oif: int
    seen: Seen | None


@dataclass(slots=True, kw_only=True)
class Observed:
    """Everything between a packet and the sentinel behind it."""

    frames: list[Frame] = field(default_factory=list)
    traces: list[Traced] = field(default_factory=list)
    datagrams: int = 0
    refused: str = ""
    """What a sending socket was told."""


class Wires:
    """The sockets that send and listen, for as long as the router lives."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        with inside(ground.field_descriptor):
            self._ends = {mine: _packet_socket(theirs) for mine, theirs in WIRES.items()}
            for each in self._ends.values():
                each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with inside(ground.descriptor):
            self._ear = _packet_socket(None)
            self._ear.setsockopt(socket.SOL_SOCKET, SO_RCVMARK, 1)
            self._ear.settimeout(DEADLINE_SECONDS)
            self._trace = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
            self._trace.setsockopt(socket.SOL_SOCKET, 33, 1 << 23)
            self._trace.bind((0, 0))
            self._trace.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, NFNLGRP_NFTRACE)
            self._trace.setblocking(False)
            self._names = dict(socket.if_nameindex())
            self._servers = list(_servers())

    def close(self) -> None:
        """Let the sockets go."""
        for each in (*self._ends.values(), self._ear, self._trace, *self._servers):
            each.close()

    def fire(self, shot: Shot) -> Observed:
        """Send one packet and wait until the kernel is through with it."""
        observed = Observed()
        if shot.by:
            self._ends[shot.by].send(_frame(shot))
        else:
            observed.refused = self._send(shot)
        self._settle(observed)
        return observed

    def _settle(self, observed: Observed) -> None:
        self._ends["r0"].send(SENTINEL_FRAME)
        while self._hear(observed):
            pass
        for message in self._messages():
            traced = _traced(message)
            if traced is not None:
                observed.traces.append(traced)
        for server in self._servers:
            if server.type == socket.SOCK_DGRAM:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        server.recv(1 << 16)
                        observed.datagrams += 1
            else:
                with contextlib.suppress(BlockingIOError):
                    server.accept()[0].close()

    def _hear(self, observed: Observed) -> bool:
        """One frame; False: it was the sentinel."""
        frame, ancillary, _, address = self._ear.recvmsg(1 << 16, 64)
        device, outgoing = address[0], address[2] == PACKET_OUTGOING
        if frame[12:14] == SENTINEL_FRAME[12:14]:
            return False
        if not outgoing or device == "lo":
            return True
        seen = parse_frame(frame)
        if seen is not None:
            mark = next((struct.unpack("=I", data)[0] for _, _, data in ancillary), 0)
            place = frame[:6].hex(":")
            observed.frames.append(Frame(device=device, seen=seen, mark=mark, destination_mac=place))
        return True

    def _messages(self) -> Iterator[bytes]:
        while True:
            try:
                data = self._trace.recv(1 << 16)
            except BlockingIOError:
                return
            position = 0
            while position + 16 <= len(data):
                length, kind = struct.unpack_from("=IH", data, position)
                if kind == TRACE:
                    yield data[position + 16 : position + length]
                position += (length + 3) & ~3

    def _send(self, shot: Shot) -> str:
        """From a socket of the router."""
        family = socket.AF_INET6 if ":" in shot.target else socket.AF_INET
        any_address = "::" if family == socket.AF_INET6 else "0.0.0.0"
        kind = socket.SOCK_STREAM if shot.protocol == "tcp" else socket.SOCK_DGRAM
        with inside(self._ground.descriptor):
            made = socket.socket(family, kind)
        with made:
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, shot.mark)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_FAREWELL)
            made.bind((shot.source or any_address, shot.sport))
            try:
                if shot.protocol == "tcp":
                    made.connect((shot.target, shot.dport))
                else:
                    made.sendto(b"x" * shot.size, (shot.target, shot.dport))
            except BlockingIOError:
                return ""
            except OSError as problem:
                return problem.strerror or "?"
            return ""


PORTS = {socket.SOCK_STREAM: (80, 443, 8080), socket.SOCK_DGRAM: (53, 80, 8080)}


def _servers() -> Iterator[socket.socket]:
    for kind, ports in PORTS.items():
        for family, anywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            for port in ports:
                server = socket.socket(family, kind)
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                server.bind((anywhere, port))
                server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_FAREWELL)
                server.setblocking(False)
                if kind == socket.SOCK_STREAM:
                    server.listen(4096)
                yield server


def _packet_socket(device: str | None) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    if device is not None:
        made.bind((device, 0))
        return made
    made.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)
    return made


def _frame(shot: Shot) -> bytes:
    kind = 0x86DD if ":" in shot.target else 0x0800
    bridged = shot.by in {"p0", "p1"}
    target = shot.mac or OWN_MAC["br0" if bridged else shot.by]
    source = mac("br0", 2 if shot.by == "p0" else 3) if bridged else mac(shot.by, 2)
    head = bytes.fromhex(target.replace(":", "") + source.replace(":", ""))
    return head + struct.pack("!H", kind) + data_of(shot)


def _traced(message: bytes) -> Traced | None:
    parts = attribute_map(message[4:])

    def number(kind: int) -> int:
        return int.from_bytes(parts.get(kind, b""), "big")

    verdict = 0
    if 5 in parts:
        code = attribute_map(parts[5]).get(1, b"\0\0\0\0")
        verdict = struct.unpack("!i", code)[0]
    seen = parse(parts[8], parts.get(9, b"")) if len(parts.get(8, b"")) >= 20 else None
    return Traced(
        id=number(6),
        family=message[0],
        table=parts.get(1, b"").rstrip(b"\0").decode(),
        chain=parts.get(2, b"").rstrip(b"\0").decode(),
        kind=number(4),
        handle=number(3),
        verdict=verdict,
        mark=number(14),
        iif=number(10),
        oif=number(12),
        seen=seen,
    )
