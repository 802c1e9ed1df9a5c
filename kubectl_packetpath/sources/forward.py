"""A port of a pod, asked by HTTP through `pods/portforward`: bytes over a websocket of the API server.

It ends on the loopback of the pod's network namespace, so it needs no program in the pod and no port that others reach.
Nothing that comes back is trusted: not its length, not that it comes at all.

Kubernetes: k8s.io/cri-streaming/pkg/streaming/portforward/websocket.go
"""

import io
import time
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any

import websocket

from kubectl_packetpath.sources.frames import OPCODE_CLOSE, Socket
from kubectl_packetpath.sources.trouble import UnreachableError

DATA, ERROR = 0, 1
PORT_BYTES = 2
"""Each channel begins with the number of the port."""
MOST_WORDS_BYTES = 300
MOST_FRAMING, MOST_HEAD_BYTES = 2, 64 << 10
"""What the wire may carry for an answer: so many times its length, for chunks have headers, and its own header."""
HTTP_OK = 200


@dataclass(slots=True, kw_only=True)
class Forwarded:
    """A connection to one port of one pod, on which it is asked one thing after the other."""

    socket: Socket
    deadline: float
    """By the monotonic clock: nothing is waited for beyond it."""
    buffer: bytearray = field(default_factory=bytearray)
    ended: bool = False
    skipped: dict[int, int] = field(default_factory=dict)
    left_bytes: int = 0
    """How much more may come for one answer; its own word about its length is not believed."""

    def get(self, path: str, most_bytes: int) -> bytes:
        """What is answered to a GET; never more of it than may be kept."""
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n"
        self.left_bytes = MOST_FRAMING * most_bytes + MOST_HEAD_BYTES
        try:
            self.socket.send_binary(bytes([DATA]) + head.encode())
            with HTTPResponse(self, method="GET") as answer:  # type: ignore[arg-type] # all that it uses is makefile
                answer.begin()
                body = answer.read(most_bytes + 1)
                status = answer.status
        except TimeoutError as error:
            raise UnreachableError("it does not answer in time") from error
        except (HTTPException, websocket.WebSocketException, OSError, ValueError) as error:
            raise UnreachableError(_first_line(error)) from error
        if status != HTTP_OK:
            raise UnreachableError(f"it answers {path} with {status}")
        if len(body) > most_bytes:
            raise UnreachableError(f"its answer to {path} is longer than {most_bytes >> 20} MiB")
        return body

    def makefile(self, _mode: str) -> io.BufferedReader:
        """The bytes of one answer."""
        return io.BufferedReader(_Bytes(self))

    def take(self, most_bytes: int) -> bytes:
        """The next bytes that the pod sent; none at the end."""
        while not self.buffer and not self.ended:
            self._more()
        data = bytes(self.buffer[:most_bytes])
        del self.buffer[:most_bytes]
        return data

    def _more(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)
        try:
            opcode, data = self.socket.recv_data()
        except websocket.WebSocketTimeoutException as error:
            raise TimeoutError from error
        if opcode == OPCODE_CLOSE:
            self.ended = True
        if opcode == OPCODE_CLOSE or not data:
            return
        channel, rest = data[0], data[1:]
        skip = min(PORT_BYTES - self.skipped.get(channel, 0), len(rest))
        self.skipped[channel] = self.skipped.get(channel, 0) + skip
        rest = rest[skip:]
        self.left_bytes -= len(rest)
        if self.left_bytes < 0:
            raise ConnectionError("it does not stop answering")
        if channel == DATA:
            self.buffer += rest
        elif channel == ERROR and rest:
            raise ConnectionError(rest[:MOST_WORDS_BYTES].decode(errors="replace"))

    def close(self) -> None:
        """Hang up."""
        try:
            self.socket.close()
        except (websocket.WebSocketException, OSError):
            return


class _Bytes(io.RawIOBase):
    """What the pod sends, as a file."""

    def __init__(self, source: Forwarded) -> None:
        self._source = source

    def readable(self) -> bool:
        """It is only read."""
        return True

    def readinto(self, into: Any) -> int:
        """As many bytes as are there, waiting for the first."""
        data = self._source.take(len(into))
        into[: len(data)] = data
        return len(data)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:MOST_WORDS_BYTES] or type(error).__name__
