"""Servers and clients in other namespaces, all within this process: hundreds of connections take a second."""

import json
import os
import selectors
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from packetpath_agent.netns import inside
from testbed.netns import Namespace
from testbed.waiting import PATIENCE

KINDS = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}
QUICK_SECONDS, TIMEOUT_SECONDS = 1.5, 1.5 * PATIENCE
Seen = tuple[str, str, str]
"""How it went, who answered, and which client address they saw."""


@contextmanager
def within(namespace: Namespace) -> Iterator[None]:
    """Be in this namespace for a while."""
    descriptor = os.open(namespace.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with inside(descriptor):
            yield
    finally:
        os.close(descriptor)


@dataclass(slots=True)
class Servers:
    """A thread that answers everyone with the name of who was asked and the address that it saw."""

    selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)
    thread: threading.Thread | None = None
    stopping: threading.Event = field(default_factory=threading.Event)

    def add(self, name: str, namespace: Namespace, protocol: str, port: int, address: str = "") -> None:
        """Listen there, in both families unless an address says which."""
        kind, number = KINDS[protocol]
        with within(namespace):
            family = socket.AF_INET if address and ":" not in address else socket.AF_INET6
            listener = socket.socket(family, kind, number)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and not address:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((address or "::", port))
        if kind == socket.SOCK_STREAM:
            listener.listen(256)
        listener.setblocking(False)
        self.selector.register(listener, selectors.EVENT_READ, name)

    def start(self) -> None:
        """Answer from now on."""
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while not self.stopping.is_set():
            for key, _ in self.selector.select(0.2):
                listener = key.fileobj
                if isinstance(listener, socket.socket):
                    _answer(listener, key.data)

    def close(self) -> None:
        """Stop, and let the sockets go."""
        self.stopping.set()
        if self.thread is not None:
            self.thread.join()
        for key in list(self.selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self.selector.close()


def _answer(listener: socket.socket, name: str) -> None:
    try:
        if listener.type == socket.SOCK_STREAM:
            connection, peer = listener.accept()
            with connection:
                connection.sendall(_told(name, peer))
        else:
            _, peer = listener.recvfrom(2048)
            listener.sendto(_told(name, peer), peer)
    except OSError:
        return


def _told(name: str, peer: tuple[Any, ...]) -> bytes:
    return json.dumps([name, peer[0].removeprefix("::ffff:")]).encode()


def attempts(
    namespace: Namespace, target: tuple[str, int, str], count: int = 1, *, quick: bool = False
) -> Counter[Seen]:
    """So many connections (address, port, protocol), one after the other, and what became of them."""
    timeout_seconds = QUICK_SECONDS if quick else TIMEOUT_SECONDS
    with within(namespace):
        return Counter(_reach(*target, timeout_seconds) for _ in range(count))


def _reach(target: str, port: int, protocol: str, timeout_seconds: float) -> Seen:
    kind, number = KINDS[protocol]
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with socket.socket(family, kind, number) as client:
        client.settimeout(timeout_seconds)
        try:
            client.connect((target, port))
            if protocol == "udp":
                client.send(b"?")
            name, address = json.loads(client.recv(2048))
        except (
            ConnectionRefusedError,
            PermissionError,
        ):  # the latter: dropped at OUTPUT, a datagram fails at once
            return "refused", "", ""
        except TimeoutError:
            return "timeout", "", ""
        except OSError:
            return "unreachable", "", ""
        return "reached", name, address
