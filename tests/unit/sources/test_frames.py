"""Frames over an exec's streams."""

import json
import struct

import pytest
import websocket
from unit.sources.scripted import BINARY, CLOSE, Scripted

from kubectl_packetpath.sources.frames import MOST_FRAME_BYTES, FrameStream
from kubectl_packetpath.sources.trouble import UnreachableError


def stream(*messages: tuple[int, bytes] | Exception) -> FrameStream:
    """A conversation with a scripted agent."""
    return FrameStream(socket=Scripted(*messages), who="its agent")


def out(data: bytes) -> tuple[int, bytes]:
    """Something on standard output."""
    return BINARY, b"\x01" + data


def frame(data: bytes) -> bytes:
    """With its length."""
    return struct.pack(">I", len(data)) + data


def test_a_frame_in_pieces_is_put_together() -> None:
    """Messages end where the network likes."""
    data = frame(b"hello")

    assert stream(*(out(data[n : n + 1]) for n in range(len(data)))).receive(1) == b"hello"


def test_two_frames_in_one_message_are_two() -> None:
    """The second waits."""
    conversation = stream(out(frame(b"one") + frame(b"two")))

    assert [conversation.receive(1), conversation.receive(1)] == [b"one", b"two"]


def test_a_long_request_is_sent_in_messages() -> None:
    """Each begins with the stream's number."""
    socket = Scripted()
    FrameStream(socket=socket, who="its agent").send(bytes(3 << 20))

    assert len(socket.sent) > 1
    assert b"".join(message[1:] for message in socket.sent) == frame(bytes(3 << 20))
    assert {message[0] for message in socket.sent} == {0}


def test_an_agent_that_dies_midway_says_its_last_words() -> None:
    """Standard error is told only then."""
    conversation = stream(out(frame(b"hello")[:6]), (BINARY, b"\x02Traceback\nMemoryError\n"), (CLOSE, b""))

    with pytest.raises(UnreachableError, match=r"ended in the middle.*MemoryError"):
        conversation.receive(1)


def test_the_status_of_a_failed_exec_is_the_reason() -> None:
    """The API server's own words."""
    status = json.dumps({"status": "Failure", "message": "command terminated with exit code 137"}).encode()

    with pytest.raises(UnreachableError, match="137"):
        stream((BINARY, b"\x03" + status)).receive(1)


@pytest.mark.parametrize("problem", [websocket.WebSocketTimeoutException("late"), TimeoutError("late")])
def test_silence_ends_at_the_deadline(problem: Exception) -> None:
    """A node that hangs costs only itself."""
    with pytest.raises(UnreachableError):
        stream(problem).receive(0.5)


def test_a_frame_too_large_to_keep_is_refused_before_it_is_read() -> None:
    """Its length is enough."""
    with pytest.raises(UnreachableError, match="announces"):
        stream(out(struct.pack(">I", MOST_FRAME_BYTES + 1))).receive(1)


def test_an_empty_message_is_passed_over() -> None:
    """Kubernetes sends one for each stream at the start."""
    assert stream((BINARY, b""), (BINARY, b"\x01"), out(frame(b"x"))).receive(1) == b"x"
