"""Answers a client on standard input and output: length-prefixed frames until the input ends.

There is no port and no file: whoever may exec into the agent's pod may ask.
"""

import struct
import sys
from typing import BinaryIO

from kubectl_packetpath.snapshot import Snapshot
from kubectl_packetpath.snapshot.codec import RecordingError, decode_value, encode
from kubectl_packetpath.walk import explore
from kubectl_packetpath.walk.cluster import namespace_of
from kubectl_packetpath.walk.request import ANSWER, PROBLEM, Request
from packetpath_agent.live import LiveNamespace, LiveNode

_LENGTH = struct.Struct("!I")
LARGEST_REQUEST = 1 << 24
MOST_TRIES = 5


def serve(name: str | None, source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until the input ends."""
    while (head := source.read(_LENGTH.size)) and len(head) == _LENGTH.size:
        (length,) = _LENGTH.unpack(head)
        if length > LARGEST_REQUEST:
            _send(sink, PROBLEM + b"the request is too big")
            return
        try:
            answer = ANSWER + encode_answer(name, decode_value(Request, source.read(length)))
        except RecordingError as error:
            answer = PROBLEM + f"the request does not fit this agent's version: {error}".encode()
        except OSError as error:
            answer = PROBLEM + f"the kernel's state cannot be read: {error}".encode()
        except Exception as error:  # noqa: BLE001 - the client is told, and may ask something else
            answer = PROBLEM + f"the agent has a bug: {type(error).__name__}: {error}".encode(
                errors="replace"
            )
        _send(sink, answer)


def _send(sink: BinaryIO, frame: bytes) -> None:
    sink.write(_LENGTH.pack(len(frame)) + frame)
    sink.flush()


def encode_answer(name: str | None, request: Request) -> bytes:
    """The snapshot that a request asks for."""
    node = LiveNode(name)
    try:
        return encode(answer(node, request))
    finally:
        node.close()


def answer(node: LiveNode, request: Request) -> Snapshot:
    """What a request asks for, read now."""
    if request.what == "snapshot":
        node.read_everything(packed=True)
        return node.snapshot(whole=True)
    if request.what == "base":
        node.read_base()
    else:
        run_walks(node, request)
    for key in request.flows:
        node.host().count_flows(key)
    for client in request.resolvers:
        state = namespace_of(node, client.pod, client.addresses)
        for each in (node.host(), state):
            if each is not None:
                each.resolv_conf()
    return node.snapshot()


def run_walks(node: LiveNode, request: Request) -> None:
    """Run the walks; again from the start when the rules changed meanwhile."""
    changed: list[LiveNamespace] = []
    for _ in range(MOST_TRIES):
        for walk in request.walks:
            try:
                for _path in explore.run(node, walk.start, walk.connections, ask_table=walk.ask_table):
                    pass
            except LookupError as error:
                print(f"packetpath-agent: {error}", file=sys.stderr)
        changed = [state for state in node.namespaces() if state.nft.changed()]
        if not changed:
            return
        for state in changed:
            state.nft.reset()
    for state in changed:
        state.nft.give_up()
