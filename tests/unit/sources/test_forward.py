"""HTTP over a forwarded port, with a websocket that says what a test wrote down."""

import time

import pytest
import websocket
from unit.sources.scripted import BINARY, CLOSE, Scripted

from kubectl_packetpath.sources.forward import Forwarded
from kubectl_packetpath.sources.trouble import UnreachableError

HELLO = (BINARY, b"\x00\x29\x23")
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


def link(*messages: tuple[int, bytes] | Exception, seconds: float = 60) -> Forwarded:
    """A connection on which these messages come."""
    return Forwarded(socket=Scripted(*messages), deadline=time.monotonic() + seconds)


def data(payload: bytes) -> tuple[int, bytes]:
    """Bytes of the pod."""
    return BINARY, b"\x00" + payload


def test_one_answer_after_the_other_comes_over_one_connection() -> None:
    """In pieces, as the network likes; each channel's port number is no part of them."""
    pieces = [data(CHUNKED[n : n + 1]) for n in range(len(CHUNKED))]
    found = link(HELLO, (BINARY, b"\x01\x29\x23"), *pieces, data(CHUNKED))

    assert [found.get("/a", 9), found.get("/b", 9)] == [b"hello", b"hello"]
    assert isinstance(found.socket, Scripted)
    assert b"".join(found.socket.sent).startswith(b"\x00GET /a HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        (
            [(BINARY, b"\x01\x29\x23failed to connect to localhost:9001")],
            "failed to connect to localhost:9001",
        ),
        ([data(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")], "it answers /a with 404"),
        ([data(b"SSH-2.0-OpenSSH\r\n")], "SSH-2.0-OpenSSH"),
        ([data(CHUNKED[:-8]), (CLOSE, b"")], "IncompleteRead"),
        ([(CLOSE, b"")], "Remote end closed connection"),
        ([data(CHUNKED.replace(b"hello", b"hello hello").replace(b"5", b"b"))], "is longer than 0 MiB"),
        ([data(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n")], "more than 100 headers"),
        ([data(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\n")], "read length"),
        (
            [data(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n" + bytes(90_000))],
            "it does not stop answering",
        ),
        ([websocket.WebSocketTimeoutException()], "it does not answer in time"),
        ([websocket.WebSocketConnectionClosedException("gone")], "gone"),
    ],
)
def test_whatever_else_comes_is_one_sentence(messages: list[tuple[int, bytes] | Exception], why: str) -> None:
    """The pod is not trusted, and the network neither."""
    first = [] if messages[0] == (BINARY, b"\x01\x29\x23") else [HELLO]

    with pytest.raises(UnreachableError, match=why):
        link(*first, *messages).get("/a", 9)


def test_nothing_is_waited_for_beyond_the_deadline() -> None:
    """Though bytes keep coming."""
    with pytest.raises(UnreachableError, match="it does not answer in time"):
        link(HELLO, data(CHUNKED), seconds=-1).get("/a", 9)
