"""Run inside a namespace: serve on ports, or try to reach one; says in JSON what was seen.

python probe.py serve NAME [tcp|udp]:[ADDRESS@]PORT …
python probe.py reach tcp|udp|sendto ADDRESS PORT [SOURCE_PORT] [TIMEOUT_SECONDS]

`sendto` is UDP by a socket that does not connect.
"""

import json
import select
import socket
import sys
from typing import Any

TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM, "sendto": socket.SOCK_DGRAM}


def _bound(place: str) -> socket.socket:
    protocol, _, rest = place.partition(":")
    address, _, port = rest.rpartition("@")
    family = socket.AF_INET if address and ":" not in address else socket.AF_INET6
    listener = socket.socket(family, TYPES[protocol])
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if not address:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind((address or "::", int(port)))
    if protocol == "tcp":
        listener.listen(64)
    return listener


def serve(name: str, places: list[str]) -> None:
    """Answer everyone with our name and the address that they were seen with, until killed."""
    listeners = [_bound(place) for place in places]
    print("ready", flush=True)
    while True:
        for listener in select.select(listeners, [], [])[0]:
            if listener.type == socket.SOCK_STREAM:
                connection, peer = listener.accept()
                with connection:
                    connection.sendall(_seen(name, peer))
            else:
                _, peer = listener.recvfrom(2048)
                listener.sendto(_seen(name, peer), peer)


def _seen(name: str, peer: tuple[Any, ...]) -> bytes:
    address = peer[0].removeprefix("::ffff:")
    return json.dumps({"name": name, "client": address, "client_port": peer[1]}).encode()


def reach(protocol: str, address: str, port: int, source_port: int, timeout_seconds: float) -> dict[str, Any]:
    """One connection or datagram, and what came of it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, TYPES[protocol]) as client:
        client.settimeout(timeout_seconds)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if source_port:
            client.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", source_port))
        try:
            if protocol == "sendto":
                client.sendto(b"?", (address, port))
            else:
                client.connect((address, port))
            if protocol == "udp":
                client.send(b"?")
            seen = json.loads(client.recv(2048))
        except ConnectionRefusedError:
            return {"result": "refused"}
        except TimeoutError:
            return {"result": "timeout"}
        except OSError as problem:
            return {"result": "unreachable", "error": problem.strerror}
        return {"result": "reached", "local": client.getsockname()[0], **seen}


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], sys.argv[3:])
    else:
        words = [*sys.argv[2:], *["0", "1.0"][len(sys.argv) - 5 :]]
        print(json.dumps(reach(words[0], words[1], int(words[2]), int(words[3]), float(words[4]))))
