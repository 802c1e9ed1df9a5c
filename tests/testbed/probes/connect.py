"""Opens connections from wherever it runs, and says how each ended.

One process for all of them: a JSON request on standard input, a JSON list on standard output. It uses nothing but the
standard library, because it runs in network namespaces of nodes and pods with the machine's own Python.
Kernel: Documentation/networking/timestamping (error queue), include/uapi/linux/errqueue.h
"""

import json
import os
import random
import socket
import struct
import sys
import threading
import time

from testbed.probes import sctp_wire

IN_FLIGHT = 200
"""As many as the tests try: those that are lost then take one deadline together."""
IP_RECVERR, IPV6_RECVERR = 11, 25
ORIGIN_ICMP, ORIGIN_ICMP6 = 2, 3
REFUSED = (111, 104)  # ECONNREFUSED, ECONNRESET
Result = dict[str, object]


class Attempt:
    """One connection or datagram exchange."""

    def __init__(self, request: dict[str, object]) -> None:
        self.address = str(request["address"])
        self.port = int(str(request["port"]))
        self.timeout = float(str(request["timeout_seconds"]))
        self.source_port = int(str(request.get("source_port") or 0))
        self.version = 6 if ":" in self.address else 4
        self.family = socket.AF_INET if self.version == 4 else socket.AF_INET6

    def tcp(self) -> Result:
        """A connection; an agnhost at its end is asked who it is and whom it sees."""
        with self._socket(socket.SOCK_STREAM) as sock:
            try:
                sock.connect((self.address, self.port))
            except OSError as error:
                return failed(sock, error)
            try:
                return self._ask_over_http(sock)
            except (OSError, ValueError):  # somebody who is not agnhost
                return {"kind": "reached", "local": sock.getsockname()[:2]}

    def udp(self) -> Result:
        """Datagrams from one port: agnhost's UDP server answers both questions."""
        with self._socket(socket.SOCK_DGRAM) as sock:
            try:
                sock.connect((self.address, self.port))
                sock.send(b"hostname\n")
                pod = sock.recv(4096).decode()
                sock.send(b"clientip\n")
                return reached(pod, sock.recv(4096).decode(), sock.getsockname())
            except OSError as error:
                return failed(sock, error)

    def sctp(self) -> Result:
        """An association, or as much as an INIT and the answer to it where the kernel has none."""
        if sctp_wire.is_in_kernel():
            return self._sctp_of_kernel()
        port, tag = self.source_port or random.randrange(20000, 60000), random.randrange(1, 2**32)
        init = sctp_wire.packet((port, self.port), 0, sctp_wire.opening(sctp_wire.INIT, tag))
        deadline = time.monotonic() + self.timeout
        with self._socket(socket.SOCK_RAW, sctp_wire.PROTOCOL, bind=False) as sock:
            try:
                sock.connect((self.address, 0))
                sock.send(init)
                while time.monotonic() < deadline:
                    data = sctp_wire.payload(sock.recv(4096), self.version)
                    ports, kind = struct.unpack("!HH", data[:4]), data[12]
                    if ports == (self.port, port) and kind == sctp_wire.INIT_ACK:
                        pod, seen, seen_port = data[36:].decode().split()
                        return reached(pod, joined(seen, seen_port), (sock.getsockname()[0], port))
                    if ports == (self.port, port) and kind == sctp_wire.ABORT:
                        return {"kind": "refused"}
            except OSError as error:
                return failed(sock, error)
        return {"kind": "timed_out"}

    def _sctp_of_kernel(self) -> Result:
        with self._socket(socket.SOCK_STREAM, sctp_wire.PROTOCOL) as sock:
            try:
                sock.connect((self.address, self.port))
                pod, seen, seen_port = sock.recv(4096).decode().split()
                return reached(pod, joined(seen, seen_port), sock.getsockname())
            except OSError as error:
                return failed(sock, error)

    def _socket(self, kind: int, protocol: int = 0, *, bind: bool = True) -> socket.socket:
        sock = socket.socket(self.family, kind, protocol)
        sock.settimeout(self.timeout)
        if self.version == 4:
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        if bind and self.source_port:
            sock.bind(("", self.source_port))
        return sock

    def _ask_over_http(self, sock: socket.socket) -> Result:
        """Both questions over one connection."""
        answers = []
        for path in ("hostname", "clientip"):
            last = path == "clientip"
            ending = "Connection: close\r\n\r\n" if last else "\r\n"
            sock.sendall(f"GET /{path} HTTP/1.1\r\nHost: test\r\n{ending}".encode())
            answers.append(http_body(sock))
        return reached(answers[0], answers[1], sock.getsockname())


def http_body(sock: socket.socket) -> str:
    """The body of one small answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(4096)
        if not more:
            raise OSError("not HTTP")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    if not head.startswith(b"HTTP/1.1 200") or not lengths:
        raise OSError("not agnhost")
    length = int(lengths[0].split(b":")[1])
    while len(body) < length:
        body += sock.recv(4096)
    return body.decode()


def joined(address: str, port: str) -> str:
    """An address and a port, as agnhost writes them."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def reached(pod: str, client: str, local: tuple[object, ...]) -> Result:
    """Somebody answered."""
    address, _, port = client.strip().rpartition(":")
    return {
        "kind": "reached",
        "pod": pod.strip(),
        "client": address.strip("[]").removeprefix("::ffff:"),
        "client_port": int(port),
        "local": local[:2],
    }


def failed(sock: socket.socket, error: OSError) -> Result:
    """Nobody answered; the error queue may tell who said so."""
    if isinstance(error, TimeoutError) and error.errno is None:
        return {"kind": "timed_out"}
    told = from_error_queue(sock)
    if error.errno == 110:  # ETIMEDOUT
        return {"kind": "timed_out"} | told
    return {
        "kind": "refused" if error.errno in REFUSED else "unreachable",
        "error": os.strerror(error.errno or 0),
    } | told


def from_error_queue(sock: socket.socket) -> Result:
    """Who sent an ICMP error, and which."""
    try:
        _, ancillary, _, _ = sock.recvmsg(512, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
    except OSError:
        return {}
    for _, kind, data in ancillary:
        if kind not in (IP_RECVERR, IPV6_RECVERR):
            continue
        _, origin, icmp_type, icmp_code = struct.unpack("=IBBB", data[:7])
        if origin == ORIGIN_ICMP:
            return {"by": socket.inet_ntoa(data[20:24]), "icmp": [icmp_type, icmp_code]}
        if origin == ORIGIN_ICMP6:
            return {"by": socket.inet_ntop(socket.AF_INET6, data[24:40]), "icmp": [icmp_type, icmp_code]}
    return {}


def main() -> None:
    """Answer the request on standard input."""
    request = json.load(sys.stdin)
    results: list[Result] = [{}] * request["count"]
    turns = iter(range(request["count"]))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                turn = next(turns, None)
            if turn is None:
                return
            attempt = getattr(Attempt(request), request["protocol"])
            results[turn] = attempt()

    threads = [threading.Thread(target=work) for _ in range(min(IN_FLIGHT, request["count"]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
