"""Answers every SCTP INIT to one port with who we are and whom we saw: sctp_server.py PORT NAME.

It runs in a pod's network namespace until its standard input ends, and prints a line when it is ready.
"""

import selectors
import struct
import sys

from testbed.probes import sctp_wire


def main(port: int, name: str) -> None:
    """Serve until standard input ends."""
    waiting = selectors.DefaultSelector()
    waiting.register(sys.stdin, selectors.EVENT_READ)
    for version in (4, 6):
        waiting.register(sctp_wire.raw_socket(version), selectors.EVENT_READ, version)
    print("ready", flush=True)
    while True:
        for key, _ in waiting.select():
            if key.fileobj is sys.stdin:
                return
            data, sender = key.fileobj.recvfrom(4096)  # type: ignore[union-attr]
            answer = reply(sctp_wire.payload(data, key.data), port, name, sender[0])
            if answer is not None:
                key.fileobj.sendto(answer, (sender[0], 0))  # type: ignore[union-attr]


def reply(received: bytes, port: int, name: str, sender: str) -> bytes | None:
    """The INIT ACK for an INIT to our port; None for all else."""
    source, target, kind, tag = struct.unpack("!HH8xB3xI", received[:20])
    if target != port or kind != sctp_wire.INIT:
        return None
    cookie = sctp_wire.cookie(f"{name} {sender} {source}")
    return sctp_wire.packet(
        (int(target), int(source)), int(tag), sctp_wire.opening(sctp_wire.INIT_ACK, 1, cookie)
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
