"""One packet asked about by hand: `packetpath-agent ask` tells what its way through this node touches.

It is what the client asks over `serve`, as a file: for trying things out, and for measuring them.
"""

import argparse
from ipaddress import IPv4Address, IPv6Address
from typing import cast

from kubectl_packetpath.packet import PROTOCOL_NUMBERS, TCP, TCP_SYN, Address, Packet
from kubectl_packetpath.walk.explore import Connections, Originated, ReceivedOn
from kubectl_packetpath.walk.request import Request, Walk
from packetpath_agent.live import LiveNode
from packetpath_agent.serve import run_walks

ANY = {4: IPv4Address(0), 6: IPv6Address(0)}


def walk(given: argparse.Namespace, node: LiveNode) -> None:
    """Follow the packet through this node, which then holds what was touched."""
    run_walks(node, request(given, node))


def request(given: argparse.Namespace, node: LiveNode) -> Request:
    """The question in the words of the protocol."""
    number = PROTOCOL_NUMBERS[given.protocol]
    packet = Packet(
        source=cast("Address", given.src or ANY[given.dst.version]),
        destination=given.dst,
        protocol=number,
        sport=given.sport,
        dport=given.dport,
        tcp_flags=TCP_SYN if number == TCP else 0,
    )
    home = node.host().identity
    start = (
        Originated(namespace=home, packet=packet)
        if given.from_host
        else ReceivedOn(namespace=home, device=given.device, packet=packet)
    )
    return Request(what="walks", walks=(Walk(start=start, connections=Connections()),))
