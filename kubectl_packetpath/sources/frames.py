"""Frames over an exec's streams: each a length and its bytes, both ways.

The stock reader of the kubernetes client takes time that grows with the square of what it reads, so the
websocket's frames are read here: the first byte of each names the stream.

Kubernetes: staging/src/k8s.io/client-go/tools/remotecommand/websocket.go
"""

import json
import struct
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import websocket

from kubectl_packetpath.sources.trouble import UnreachableError

STDIN, STDOUT, STDERR, STATUS = 0, 1, 2, 3
OPCODE_CLOSE = 8
LENGTH = struct.Struct(">I")
MOST_FRAME_BYTES = 512 << 20
MOST_WORDS_BYTES = 16 << 10
MOST_MESSAGE_BYTES = 1 << 20


class Socket(Protocol):
    """What is used of a websocket."""

    def settimeout(self, timeout: float) -> None:
        """Longest wait for the next piece."""

    def recv_data(self) -> tuple[int, bytes]:
        """Opcode and bytes of the next message."""

    def send_binary(self, payload: bytes) -> int:
        """Send a message."""

    def close(self) -> None:
        """Hang up."""


@dataclass(slots=True, kw_only=True)
class FrameStream:
    """A conversation with one program in one pod."""

    socket: Socket
    who: str
    """For people: `the agent on node1`."""
    buffer: bytearray = field(default_factory=bytearray)
    words: bytearray = field(default_factory=bytearray)
    """What the program wrote to standard error: told only when it fails."""

    def send(self, payload: bytes) -> None:
        """One frame to the program."""
        data = LENGTH.pack(len(payload)) + payload
        try:
            for start in range(0, len(data), MOST_MESSAGE_BYTES):
                self.socket.send_binary(bytes([STDIN]) + data[start : start + MOST_MESSAGE_BYTES])
        except (websocket.WebSocketException, OSError) as error:
            raise self._broken(str(error)) from error

    def receive(self, timeout_seconds: float) -> bytes:
        """The next frame; never waits past the deadline, and never keeps more than fits."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            frame = self._frame()
            if frame is not None:
                return frame
            self._read(deadline)

    def _frame(self) -> bytes | None:
        if len(self.buffer) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack_from(self.buffer)
        if length > MOST_FRAME_BYTES:
            raise self._broken(f"it announces a frame of {length} bytes")
        end = LENGTH.size + length
        if len(self.buffer) < end:
            return None
        frame = bytes(memoryview(self.buffer)[LENGTH.size : end])
        del self.buffer[:end]
        return frame

    def _read(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise self._broken("it does not answer in time")
        self.socket.settimeout(left)
        try:
            opcode, data = self.socket.recv_data()
        except websocket.WebSocketTimeoutException as error:
            raise self._broken("it does not answer in time") from error
        except (websocket.WebSocketException, OSError) as error:
            raise self._broken(str(error) or "the connection broke") from error
        if opcode == OPCODE_CLOSE:
            raise self._broken("it ended in the middle of the conversation")
        if not data:
            return
        channel, rest = data[0], data[1:]
        if channel == STDOUT:
            self.buffer += rest
        elif channel == STDERR:
            self.words = (self.words + rest)[-MOST_WORDS_BYTES:]
        elif channel == STATUS:
            raise self._broken(_status(rest) or "it ended in the middle of the conversation")

    def _broken(self, reason: str) -> UnreachableError:
        said = bytes(self.words).decode(errors="replace").strip().splitlines()
        more = f" ({said[-1].strip()[:200]})" if said else ""
        return UnreachableError(f"{self.who}: {reason}{more}")

    def close(self) -> None:
        """Hang up; the program ends with its standard input."""
        try:
            self.socket.close()
        except (websocket.WebSocketException, OSError):
            return


def _status(data: bytes) -> str:
    try:
        status: Any = json.loads(data)
    except ValueError:
        return ""
    if not isinstance(status, dict) or status.get("status") == "Success":
        return ""
    return str(status.get("message", ""))
