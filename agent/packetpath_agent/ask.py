"""One packet asked about by hand: `packetpath-agent ask` tells what its way through this node touches.

It is what the client asks over `serve`, as a file: for trying things out, and for measuring them.
"""

import argparse
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import cast

from kubectl_packetpath.packet import PROTOCOL_NUMBERS, TCP, TCP_SYN, Address, Packet
from kubectl_packetpath.walk.explore import Connections, Originated, ReceivedOn
from kubectl_packetpath.walk.request import Request, Walk
from packetpath_agent.live import LiveNode

ANY = {4: IPv4Address(0), 6: IPv6Address(0)}


def add_options(command: argparse.ArgumentParser) -> None:
    """What describes the packet."""
    start = command.add_mutually_exclusive_group(required=True)
    start.add_argument("--in", dest="device", metavar="IFACE", help="it comes in by this device")
    start.add_argument("--from-host", action="store_true", help="a process of the node sends it")
    command.add_argument("--src", type=ip_address, help="its source (default: what the kernel would choose)")
    command.add_argument("--dst", type=ip_address, required=True)
    command.add_argument("--protocol", choices=sorted(PROTOCOL_NUMBERS), default="tcp")
    command.add_argument("--sport", type=int, default=40000)
    command.add_argument("--dport", type=int, required=True)


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
