"""What really passes at interfaces, and what a trace says passes there, in one form."""

import errno
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kernel.lab import Lab
from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import GRE, Ether
from scapy.layers.vxlan import VXLAN

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Path as Way
from kubectl_packetpath.trace import StepKind
from packetpath_agent.netns import inside

ETH_P_ALL = 0x0003
OUTGOING = 4
WITHOUT_LINK_HEADER = {768, 769, 778, 776, 823, 65534}
"""ARPHRD_* of tunnel devices whose packets begin with the IP header."""
SECONDS = 3.0
ESP = 50
SEALED_PORT, SEALED = 51820, b"\4\0\0\0"
"""WireGuard's port, and how a message with a packet in it begins."""
CAME = re.compile(r"^(\S+) takes ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One IP packet, by what a trace says of it. What neither side knows is empty."""

    source: str
    destination: str
    protocol: int
    sport: int | None = None
    dport: int | None = None
    source_mac: str = ""
    destination_mac: str = ""
    vni: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A packet at an interface by which it came in, outermost layer first."""

    namespace: str
    device: str
    layers: tuple[Layer, ...]


@dataclass(slots=True)
class Capture:
    """Listens on interfaces."""

    sockets: dict[tuple[str, str], socket.socket] = field(default_factory=dict)

    def came_in(self, port: int, expected: int) -> list[Seen]:
        """Packets that came in on their way to this port of the innermost packet, in the order of the interfaces.

        Waits until at least this many have come, or long enough to say that they never will.
        """
        found: dict[tuple[str, str, int], Seen] = {}
        deadline = time.monotonic() + SECONDS
        while len(found) < expected and time.monotonic() < deadline:
            for key, listener in self.sockets.items():
                for layers in _incoming(listener):
                    if layers[-1].dport in {port, SEALED_PORT} or layers[-1].protocol == ESP:
                        seen = Seen(namespace=key[0], device=key[1], layers=layers)
                        found.setdefault((*key, layers[0].protocol), seen)
            time.sleep(0.01)
        return [seen for key in self.sockets for place, seen in found.items() if place[:2] == key]


@contextmanager
def capturing(made: Lab, *places: str) -> Iterator[Capture]:
    """Listen at `namespace/device` places."""
    capture = Capture()
    try:
        for place in dict.fromkeys(places):
            namespace, device = place.split("/")
            capture.sockets[namespace, device] = listener_at(made[namespace].path, device)
        yield capture
    finally:
        for listener in capture.sockets.values():
            listener.close()


def listener_at(namespace: Path, device: str) -> socket.socket:
    """A socket that gets every frame of a device, in the network namespace that this file holds."""
    with namespace.open() as handle, inside(handle.fileno()):
        listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        listener.bind((device, ETH_P_ALL))
    listener.setblocking(False)
    return listener


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a socket at a device got."""

    outgoing: bool
    layers: tuple[Layer, ...]
    tcp_flags: int | None
    """Of the innermost packet, where that is TCP."""


def _incoming(listener: socket.socket) -> Iterator[tuple[Layer, ...]]:
    return (frame.layers for frame in frames_of(listener) if not frame.outgoing)


def frames_of(listener: socket.socket) -> Iterator[Frame]:
    """The IP packets that have come to a listener by now."""
    while True:
        try:
            data, (_, _, kind, hardware, _) = listener.recvfrom(65535)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENETDOWN:
                raise
            return
        first: Any = Ether
        if hardware in WITHOUT_LINK_HEADER:
            first = IP if data[0] >> 4 == 4 else IPv6
        parsed = first(data)
        layers = tuple(_layers(parsed))
        if layers:
            flags = int(parsed[TCP].flags) if TCP in parsed else None
            yield Frame(outgoing=kind == OUTGOING, layers=layers, tcp_flags=flags)


def _layers(frame: Any) -> Iterator[Layer]:
    """The IP packets in a frame; none where it only sets up a WireGuard session."""
    macs: dict[str, Any] = {}
    found: Layer | None = None
    while frame:
        if isinstance(frame, Ether):
            macs = {"source_mac": frame.src, "destination_mac": frame.dst}
        elif isinstance(frame, IP | IPv6):
            if found is not None:
                yield found
            found = Layer(source=frame.src, destination=frame.dst, protocol=_protocol(frame), **macs)
            macs = {}
            if found.protocol == ESP:
                yield replace(found, vni=int.from_bytes(bytes(frame.payload)[:4], "big"))
                return
        elif found is not None:
            if _sets_up_a_session(frame):
                return
            found = _with_header(found, frame)
        frame = frame.payload
    if found is not None:
        yield found


def _sets_up_a_session(header: Any) -> bool:
    ports = {header.sport, header.dport} if isinstance(header, UDP) else set()
    return SEALED_PORT in ports and bytes(header.payload)[: len(SEALED)] != SEALED


def _protocol(header: Any) -> int:
    if isinstance(header, IP):
        return int(header.proto)
    return int(header.payload.nh if isinstance(header.payload, IPv6ExtHdrDestOpt) else header.nh)


def _with_header(layer: Layer, header: Any) -> Layer:
    """What a header behind the IP header says."""
    if isinstance(header, TCP | UDP):
        return replace(layer, sport=header.sport, dport=header.dport)
    if isinstance(header, VXLAN | GENEVE):
        return replace(layer, vni=header.vni)
    if isinstance(header, GRE) and header.key_present:
        return replace(layer, vni=header.key)
    return layer


def told(path: Way, *places: str) -> list[Seen]:
    """Where the trace says that the packet came in, of these `namespace/device` places."""
    seen = []
    packet: Packet | None = None
    for hop in path.hops:
        namespace = f"host-{hop.node}" if hop.namespace == "host" else hop.namespace.removeprefix("lab/")
        for step in hop.steps:
            came = CAME.match(step.text) if step.kind is StepKind.RECEIVED else None
            if came is not None and packet is not None and f"{namespace}/{came[1]}" in places:
                seen.append(Seen(namespace=namespace, device=came[1], layers=tuple(_told(packet))))
            packet = step.after or packet
        if packet is not None and all(step.kind is not StepKind.RESOLVED for step in hop.steps):
            packet = replace(packet, source_mac="", destination_mac="")
    return seen


def _told(packet: Packet | None) -> Iterator[Layer]:
    while packet is not None:
        yield Layer(
            source=str(packet.source),
            destination=str(packet.destination),
            protocol=packet.protocol,
            sport=None if packet.sport_chosen else packet.sport,
            dport=packet.dport,
            source_mac=packet.source_mac,
            destination_mac=packet.destination_mac,
            vni=packet.vni,
        )
        hidden = packet.sealed is not None or packet.encapsulation == "esp"
        packet = None if hidden else packet.inner


def comparable(seen: list[Seen], told_of: list[Seen]) -> list[Seen]:
    """What was seen, without what the trace does not claim: a port that is the kernel's choice, unknown macs."""
    result = []
    for real, claimed in zip(seen, told_of, strict=False):
        layers = tuple(
            replace(
                one,
                sport=one.sport if other.sport is not None else None,
                source_mac=one.source_mac if other.source_mac else "",
                destination_mac=one.destination_mac if other.destination_mac else "",
            )
            for one, other in zip(real.layers, claimed.layers, strict=False)
        )
        result.append(replace(real, layers=layers + real.layers[len(layers) :]))
    return result + seen[len(result) :]
