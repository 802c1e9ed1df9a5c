"""Run inside a namespace: sends one datagram of a length that must not be cut, and says what came of it.

agnhost answers to what it holds, too.

python sized.py ADDRESS PORT BYTES_OF_THE_IP_PACKET
"""

import json
import socket
import sys

IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PROBE = 10, 23, 3
"""PROBE: never cut, whatever was learnt about the way."""
SECONDS = 1.0


def send(address: str, port: int, size: int) -> str:
    """`reached`, `timeout`, or the error that the kernel reports."""
    six = ":" in address
    family = socket.AF_INET6 if six else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        if six:
            client.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PROBE)
        else:
            client.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PROBE)
        client.settimeout(SECONDS)
        client.connect((address, port))
        try:
            client.send(b"hostname".ljust(size - (48 if six else 28)))
            client.recv(2048)
        except TimeoutError:
            return "timeout"
        except OSError as problem:
            return str(problem.errno)
        return "reached"


if __name__ == "__main__":
    print(json.dumps(send(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
