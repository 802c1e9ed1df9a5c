"""What the tool says passes at each interface of a path, and what raw sockets at those very interfaces get.

A path in the JSON output names devices in its steps, and shows the packet wherever it changes. From that follows what
must come in or go out at each device: addresses, ports, link addresses, and the same of every packet around it. What a
path does not claim (a port that is the kernel's choice, a link address behind a router) is not compared.
"""

import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kernel.tunnels.capture import Frame, Layer, frames_of, listener_at

from kubectl_packetpath.packet import PROTOCOL_NUMBERS, TCP_ACK, TCP_SYN
from testbed.cluster import Cluster
from testbed.control import Place
from testbed.traffic import Reached, attempt, pods_reached
from testbed.waiting import PATIENCE

CAME = re.compile(r"^(\S+) takes ")
LEFT = re.compile(r"^(?:leaves (?:\S+ )?by |\S+ is at \S+ on |\S+ is asked for on )([^\s:]+)")
WRAPPED = re.compile(r"^(\S+) wraps it")
SEALING = {"wireguard"}
"""What shows nothing of the packet inside."""
SECONDS = 3.0 * PATIENCE
CONNECTIONS, MOST_ROUNDS = 4, 15
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """That a packet comes in or goes out at a device, and looks so."""

    node: str
    namespace: str
    device: str
    outgoing: bool
    answer: bool
    """It is the server's answer."""
    layers: tuple[Layer, ...]
    """The outermost packet first."""
    sealed: bool = False
    """What is in it cannot be seen there."""

    @property
    def place(self) -> tuple[str, str, str]:
        """Where to listen."""
        return self.node, self.namespace, self.device

    def shows(self, frame: Frame) -> bool:
        """Whether this frame is what is claimed."""
        flags = TCP_SYN | TCP_ACK if self.answer else TCP_SYN
        if frame.outgoing != self.outgoing or (frame.tcp_flags is None) != self.sealed:
            return False
        if frame.tcp_flags is not None and frame.tcp_flags & 0x3F != flags:
            return False
        return len(frame.layers) == len(self.layers) and all(map(_fits, frame.layers, self.layers))


def _fits(real: Layer, claimed: Layer) -> bool:
    return claimed == replace(
        real,
        sport=real.sport if claimed.sport is not None else None,
        dport=real.dport if claimed.dport is not None else None,
        source_mac=real.source_mac if claimed.source_mac else "",
        destination_mac=real.destination_mac if claimed.destination_mac else "",
    )


def claims(path: Json) -> list[Claim]:
    """Everything that a path and its reply claim of packets at devices, each once."""
    ways = [(path, False)] + ([(path["reply"], True)] if path["reply"] else [])
    return list(dict.fromkeys(claim for way, answer in ways for claim in _of_way(way, answer=answer)))


def _of_way(way: Json, *, answer: bool) -> Iterator[Claim]:
    packet: Json | None = None
    node = ""
    for hop in way["hops"]:
        if node not in {"", hop["node"]} and packet is not None:
            # A router in between would put its own link addresses on.
            packet = {name: value for name, value in packet.items() if not name.endswith("_mac")}
        node = hop["node"]
        for step in hop["steps"]:
            packet = step.get("after", packet)
            device, outgoing = _device(step)
            shown = packet["inner"] if packet is not None and step["kind"] == "encapsulated" else packet
            if device and shown is not None:
                sealed = shown.get("encapsulation") in SEALING
                layers = tuple(_layers(shown))
                yield Claim(
                    node=node,
                    namespace=hop["namespace"],
                    device=device,
                    outgoing=outgoing,
                    answer=answer,
                    layers=_answering(layers) if answer and not sealed else layers,
                    sealed=sealed,
                )


def _answering(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """An answer goes to the port that the client's kernel chose."""
    return (*layers[:-1], replace(layers[-1], dport=None))


def _device(step: Json) -> tuple[str, bool]:
    """The device at which the packet is now, and whether it goes out there."""
    pattern, outgoing = {
        "received": (CAME, False),
        "sent": (LEFT, True),
        "resolved": (LEFT, True),
        "encapsulated": (WRAPPED, True),
    }.get(step["kind"], (None, False))
    found = pattern.match(step["text"]) if pattern is not None else None
    return (found[1] if found is not None else "", outgoing)


def _layers(packet: Json) -> Iterator[Layer]:
    shown: Json | None = packet
    while shown is not None:
        yield Layer(
            source=shown["source"],
            destination=shown["destination"],
            protocol=PROTOCOL_NUMBERS[shown["protocol"]],
            sport=shown["sport"],
            dport=shown["dport"],
            source_mac=shown.get("source_mac", ""),
            destination_mac=shown.get("destination_mac", ""),
            vni=shown.get("vni"),
        )
        shown = None if shown.get("encapsulation") in SEALING else shown.get("inner")


@dataclass(slots=True)
class Capture:
    """Listens at devices of nodes and pods."""

    sockets: dict[tuple[str, str, str], socket.socket] = field(default_factory=dict)
    frames: dict[tuple[str, str, str], list[Frame]] = field(default_factory=dict)

    def missing(self, claimed: Sequence[Claim]) -> list[Claim]:
        """What was claimed and does not come, waiting as long as it may take."""
        deadline = time.monotonic() + SECONDS
        while (left := [each for each in claimed if not self._seen(each)]) and time.monotonic() < deadline:
            time.sleep(0.01)
        return left

    def _seen(self, claim: Claim) -> bool:
        frames = self.frames.setdefault(claim.place, [])
        frames += frames_of(self.sockets[claim.place])
        return any(map(claim.shows, frames))

    def handshakes(self, claim: Claim) -> list[Frame]:
        """The first packets of connections that were seen where this was claimed."""
        return [
            frame
            for frame in self.frames.get(claim.place, ())
            if frame.tcp_flags is not None and frame.tcp_flags & TCP_SYN and frame.outgoing == claim.outgoing
        ]


@contextmanager
def capturing(cluster: Cluster, claimed: Sequence[Claim]) -> Iterator[Capture]:
    """Listen at every device of these claims."""
    with ExitStack() as stack:
        capture = Capture()
        for node, namespace, device in dict.fromkeys(each.place for each in claimed):
            file = _file(cluster, node, namespace)
            capture.sockets[node, namespace, device] = stack.enter_context(listener_at(file, device))
        yield capture


def _file(cluster: Cluster, node: str, namespace: str) -> Path:
    if namespace == "host":
        return cluster.node(node).netns
    if not namespace.startswith("pod "):
        return cluster.pod(*namespace.split("/", 1)).netns
    uid = namespace.removeprefix("pod ")  # as recordings of nodes call those that no API has named
    (own,) = (each["metadata"] for each in cluster.kube.list("Pod") if each["metadata"]["uid"] == uid)
    return cluster.pod(own["namespace"], own["name"]).netns


def assert_captured(
    cluster: Cluster, paths: Sequence[Json], source: Place, address: str, port: int
) -> list[Claim]:
    """Every path is taken by a real connection, whose packets look at each device as the path says; all that it says."""
    claimed = list(dict.fromkeys(claim for path in paths for claim in claims(path)))
    ends = {path["packet"]["destination"] for path in paths}
    waiting = {name for name, addresses in _pods(cluster).items() if addresses & ends}
    assert claimed
    assert len(waiting) == len(paths)
    with capturing(cluster, claimed) as capture:
        for _ in range(MOST_ROUNDS):
            results = attempt(source, address, port, count=CONNECTIONS)
            assert all(isinstance(each, Reached) for each in results), results
            waiting -= pods_reached(results).keys()
            if not waiting:
                break
        missing = capture.missing(claimed)
        assert not waiting, f"no connection came to {waiting}"
        assert not missing, "\n".join(_report(capture, missing))
    return claimed


def _pods(cluster: Cluster) -> dict[str, set[str]]:
    """The addresses of all pods by name: the servers of all tests have different ones."""
    return {
        each["metadata"]["name"]: {address["ip"] for address in each["status"].get("podIPs", [])}
        for each in cluster.kube.list("Pod")
    }


def _report(capture: Capture, missing: Sequence[Claim]) -> Iterator[str]:
    for claim in missing:
        yield f"said:  {claim}"
        yield from (f"  seen: {frame}" for frame in dict.fromkeys(capture.handshakes(claim)))
