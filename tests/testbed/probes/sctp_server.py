"""Tells every SCTP client of one port who we are and whom we saw: sctp_server.py PORT NAME.

It runs in a pod's network namespace until its standard input ends, and prints a line when it is ready.
"""

import selectors
import socket
import struct
import sys

from testbed.probes import sctp_wire


def main(port: int, name: str) -> None:
    """Serve until standard input ends."""
    waiting = selectors.DefaultSelector()
    waiting.register(sys.stdin, selectors.EVENT_READ)
    in_kernel = sctp_wire.is_in_kernel()
    for version in (4, 6):
        sock = sctp_wire.stream_socket(version) if in_kernel else sctp_wire.raw_socket(version)
        if in_kernel:
            if version == 6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(("", port))
            sock.listen(128)
        waiting.register(sock, selectors.EVENT_READ, version)
    print("ready", flush=True)
    while True:
        for key, _ in waiting.select():
            if key.fileobj is sys.stdin:
                return
            sock = key.fileobj  # type: ignore[assignment]
            if in_kernel:
                welcome(sock, name)
            else:
                answer(sock, key.data, port, name)


def welcome(listener: socket.socket, name: str) -> None:
    """Tell the client of the next association; the kernel does the rest."""
    peer, sender = listener.accept()
    with peer:
        peer.sendall(f"{name} {sender[0]} {sender[1]}".encode())


def answer(sock: socket.socket, version: int, port: int, name: str) -> None:
    """The next packet, if it asks us."""
    data, sender = sock.recvfrom(4096)
    said = reply(sctp_wire.payload(data, version), port, name, sender[0])
    if said is not None:
        sock.sendto(said, (sender[0], 0))


def reply(received: bytes, port: int, name: str, sender: str) -> bytes | None:
    """The INIT ACK for an INIT to our port; None for all else."""
    if len(received) < 20:  # an ABORT, say
        return None
    source, target, kind, tag = struct.unpack("!HH8xB3xI", received[:20])
    if target != port or kind != sctp_wire.INIT:
        return None
    cookie = sctp_wire.cookie(f"{name} {sender} {source}")
    return sctp_wire.packet(
        (int(target), int(source)), int(tag), sctp_wire.opening(sctp_wire.INIT_ACK, 1, cookie)
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
