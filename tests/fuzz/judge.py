"""What the walk says of a packet, beside what the kernel did with it.

A prediction is one path of the walk; the kernel must have taken one of them. Where the walk assumed something
(a path without weight) any of its paths will do, and where it says UNKNOWN anything may happen; both are counted,
so that agreement is not bought with doubt.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fuzz.case import Shot
from fuzz.fate import Fate, fate_of
from fuzz.frames import Seen, packet_of
from fuzz.ground import OWN_MAC, Ground, mac
from fuzz.ruletrace import agrees_with_trace
from fuzz.wire import Observed

from kubectl_packetpath.packet import TCP_ACK, TCP_RST, TCP_SYN, Packet
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.trace import StepKind, Verdict
from kubectl_packetpath.walk import explore
from packetpath_agent.live import LiveNamespace
from packetpath_agent.live_conntrack import LiveConntrack
from packetpath_agent.netns import Found

UNREACHABLE4 = {"net": 0, "host": 1, "prot": 2, "proto": 2, "port": 3}
PROHIBITED4 = {"net": 9, "host": 10, "admin": 13}
CODES6 = {
    "no-route": 0, "admin-prohibited": 1, "adm-prohibited": 1, "not-neighbour": 2, "addr-unreachable": 3,
    "port-unreachable": 4, "policy-fail": 5, "reject-route": 6,
}  # fmt: skip
NO_WAY = {"blackhole", "unreachable", "prohibit"}
LOCAL = {Verdict.DELIVERED, Verdict.REFUSED}


class Router:
    """The router alone as a node: whatever leaves it has left the node."""

    kernel = ""
    name = "router"

    def __init__(self, ground: Ground) -> None:
        path = ground.router.path
        found = Found(identity=path.stat().st_ino, path=path, name=self.name)
        self.state = LiveNamespace(found, is_host=True, pod=None)

    def read_connections_anew(self) -> None:
        """Forget what was read of the connection table, which packets change."""
        self.state._connections.close()
        self.state._connections = LiveConntrack(self.state._inside, self.state.nft.hooks)

    def close(self) -> None:
        """Let go of it."""
        self.state.close()

    def host(self) -> NamespaceState:
        """The router."""
        return self.state

    def namespace(self, identity: int) -> NamespaceState | None:
        """The router, if it is meant."""
        return self.state if identity == self.state.identity else None

    def namespaces(self) -> tuple[NamespaceState, ...]:
        """The router."""
        return (self.state,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A packet of which the walk says something else."""

    shot: Shot
    why: tuple[str, ...]
    """Per path of the walk: what does not fit."""
    happened: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The comparison of one packet."""

    difference: Difference | None = None
    paths: Sequence[explore.NodePath] = ()
    assumed: bool = False
    unknown: bool = False
    traced: int = 0
    """Rules that were compared with the kernel's trace."""


def predict(router: Router, shot: Shot, *, ask_table: bool = False) -> list[explore.NodePath]:
    """All paths of the walk."""
    packet = packet_of(shot)
    identity = router.state.identity
    start: explore.Start
    if shot.by:
        bridged = shot.by in {"p0", "p1"}
        target = shot.mac or OWN_MAC["br0" if bridged else shot.by]
        source = mac("br0", 2 if shot.by == "p0" else 3) if bridged else mac(shot.by, 2)
        packet = replace(packet, source_mac=source, destination_mac=target)
        start = explore.ReceivedOn(namespace=identity, device=shot.by, packet=packet)
    else:
        start = explore.Originated(namespace=identity, packet=packet)
    return list(explore.run(router, start, ask_table=ask_table))


def judge(router: Router, shot: Shot, paths: list[explore.NodePath], observed: Observed) -> Judgement:
    """Compare."""
    packet = packet_of(shot)
    fate = fate_of(observed, packet, local=not shot.by)
    assumed = any(path.weight is None for path in paths)
    unknown = any(path.ending.verdict is Verdict.UNKNOWN for path in paths)
    plain = Judgement(paths=paths, assumed=assumed, unknown=unknown)
    why = []
    for path in paths:
        problem = next(_problems(path, fate, router.state), None)
        if problem is None and path.weight is not None:
            problem, count = agrees_with_trace(router.state, path, fate.rules)
            plain = replace(plain, traced=count)
        if problem is None:
            return plain
        why.append(f"{path.ending.verdict} ({path.ending.reason}) {path.packet}: {problem}")
    if unknown:
        return plain
    steps = tuple(
        f"{step.kind}: {step.text}  {' '.join(f'[{f.key}] {f.text}' for f in step.because)}"
        for path in paths[:4]
        for hop in path.hops
        for step in hop.steps
    )
    rules = " / ".join(
        f"{t.table}/{t.chain}#{t.handle}={t.verdict}" for t in fate.rules if t.table != "observer"
    )
    happened = f"{fate}; trace {rules}"
    return replace(plain, difference=Difference(shot=shot, why=tuple(why), happened=happened, steps=steps))


def _problems(path: explore.NodePath, fate: Fate, state: NamespaceState) -> Iterator[str]:
    """What of this path does not fit to what was seen."""
    verdict = path.ending.verdict
    if verdict is Verdict.UNKNOWN:
        return
    if (verdict is Verdict.SENT) != bool(fate.left):
        yield "it left" if fate.left else "it did not leave"
    elif (verdict in LOCAL or _spoils_checksum(path)) != bool(fate.came_in):
        yield "it came in" if fate.came_in else "it did not come in"
    elif verdict is Verdict.SENT:
        yield from _sent(path, fate)
    elif verdict in LOCAL:
        yield from _local(path, fate)
    elif verdict is Verdict.REJECTED:
        yield from _rejected(path, fate, state)
    elif verdict is Verdict.DROPPED and fate.answers:
        yield "the router answered"


def _sent(path: explore.NodePath, fate: Fate) -> Iterator[str]:
    (frame, *more) = fate.left
    if more and any(each.seen != frame.seen for each in more):
        yield f"it left {len(fate.left)} times"
    wanted = path.egress.device if path.egress is not None else ""
    if wanted not in {frame.device, ""}:
        yield f"it left by {frame.device}, not {wanted}"
    yield from _changed(path.packet, frame.seen, path)
    if path.packet.mark != frame.mark:
        yield f"its mark is {frame.mark:#x}, not {path.packet.mark:#x}"
    expected_mac = path.egress.mac if path.egress is not None else ""
    if expected_mac and expected_mac != frame.destination_mac:
        yield f"it went to {frame.destination_mac}, not {expected_mac}"


def _changed(packet: Packet, seen: Seen, path: explore.NodePath) -> Iterator[str]:
    for name in ("source", "destination", "protocol", "dport", "ttl", "tos"):
        expected, real = getattr(packet, name), getattr(seen, name)
        if expected != real and not (
            name == "ttl" and any(_is_ttl(step.text) for step in path.hops[-1].steps)
        ):
            yield f"its {name} is {real}, not {expected}"
    if packet.icmp_type is None and not packet.sport_chosen and packet.sport != seen.sport:
        yield f"its source port is {seen.sport}, not {packet.sport}"


def _is_ttl(text: str) -> bool:
    return "time to live" in text


def _local(path: explore.NodePath, fate: Fate) -> Iterator[str]:
    traced = fate.came_in[0]
    if traced.seen is not None:
        yield from _changed(path.packet, traced.seen, path)
    if traced.mark != path.packet.mark:
        yield f"its mark is {traced.mark:#x}, not {path.packet.mark:#x}"
    delivered = path.ending.verdict is Verdict.DELIVERED
    protocol = path.packet.protocol
    if protocol == 17 and delivered != bool(fate.datagrams):
        yield "a socket took it" if fate.datagrams else "no socket took it"
    if protocol == 6 and path.packet.tcp_flags == TCP_SYN:
        kinds = {seen.flags & (TCP_RST | TCP_SYN | TCP_ACK) for seen in fate.answers if seen.protocol == 6}
        if delivered and TCP_RST | TCP_ACK in kinds and TCP_SYN | TCP_ACK not in kinds:
            yield "the kernel reset it"
        if not delivered and TCP_SYN | TCP_ACK in kinds:
            yield "a socket answered"


def _spoils_checksum(path: explore.NodePath) -> bool:
    """Dropped behind all rules, by the socket itself."""
    return "Udp6InCsumErrors" in path.ending.reason


def _rejected(path: explore.NodePath, fate: Fate, state: NamespaceState) -> Iterator[str]:
    kind = path.ending.reason.rpartition(" ")[2]
    family = path.packet.family
    for seen in fate.answers:
        if kind == "tcp-reset" and seen.protocol == 6 and seen.flags & TCP_RST:
            return
        if seen.icmp is not None and seen.icmp == _icmp_of(kind, family):
            return
    if fate.answers:
        yield f"answered otherwise than by {kind}"
    elif not _cannot_be_told(path, state):
        yield f"no answer, though {kind} was expected"


def _cannot_be_told(path: explore.NodePath, state: NamespaceState) -> bool:
    """The kernel answers neither an ICMP error nor, with a reset, a reset; nor where it has no way to the sender.

    An answer of a loopback address has none to anybody else (route.c, __mkroute_output).
    """
    packet = path.packet
    routes = state.routes()
    refused = any(
        route.type in NO_WAY and packet.source in route.destination
        for route in (() if isinstance(routes, Absent) else routes)
    )
    own = any(
        route.type == "local" and packet.source in route.destination
        for route in (() if isinstance(routes, Absent) else routes)
    )
    martian = packet.family == 4 and packet.destination.is_loopback and not own
    return bool(packet.tcp_flags & TCP_RST) or packet.icmp_type is not None or refused or martian


def _icmp_of(kind: str, family: int) -> tuple[int, int] | None:
    name = kind.partition("-")[2]
    if family == 6:
        return (1, CODES6[name]) if name in CODES6 else None
    what, _, how = name.rpartition("-")
    codes = UNREACHABLE4 if how == "unreachable" else PROHIBITED4
    return (3, codes[what]) if what in codes else None


def told_rules(path: explore.NodePath) -> list[str]:
    """Facts of rules, in the order of the walk."""
    return [
        fact.key
        for hop in path.hops
        for step in hop.steps
        if step.kind is not StepKind.ASSUMED
        for fact in step.because
        if fact.section in {"nftables", "iptables-nft"}
    ]
