"""What happened to a packet, as data: steps, hops, verdicts and the trace that holds them.

A trace is a history with a grammar: a constructor refuses one that contradicts itself, so a render or
a finding can rely on it. Modelled on how Batfish keeps its traces.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Literal

from kubectl_packetpath.packet import Packet


class StepKind(StrEnum):
    """Past participles, because a trace is a history."""

    ORIGINATED = "originated"
    RECEIVED = "received"
    TRACKED = "tracked"
    MATCHED = "matched"
    JUMPED = "jumped"
    RETURNED = "returned"
    REWROTE = "rewrote"
    MARKED = "marked"
    BALANCED = "balanced"
    ROUTED = "routed"
    BRIDGED = "bridged"
    RESOLVED = "resolved"
    ENCAPSULATED = "encapsulated"
    DECAPSULATED = "decapsulated"
    ENCRYPTED = "encrypted"
    DECRYPTED = "decrypted"
    PROXIED = "proxied"
    ASSUMED = "assumed"
    FRAGMENTED = "fragmented"
    SENT = "sent"
    DELIVERED = "delivered"
    DROPPED = "dropped"
    REJECTED = "rejected"
    LOST = "lost"
    """The end of a packet that no rule dropped: no route, no neighbour, too big, …"""


class Verdict(StrEnum):
    """How a path ends. The first group arrived, the second is lost, the last is not known."""

    DELIVERED = "DELIVERED"
    """A socket takes it."""
    LEFT_CLUSTER = "LEFT_CLUSTER"
    SENT = "SENT"
    """One node's share only: it leaves by a wire that the question does not follow."""
    REFUSED = "REFUSED"
    """Nothing listens: RST or port unreachable."""
    REJECTED = "REJECTED"
    """A rule answers with an error."""
    DROPPED = "DROPPED"
    NO_ROUTE = "NO_ROUTE"
    NO_NEIGHBOUR = "NO_NEIGHBOUR"
    NO_BACKEND = "NO_BACKEND"
    TOO_BIG = "TOO_BIG"
    LOOPED = "LOOPED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"

    @property
    def family(self) -> str:
        """`arrived`, `lost` or `unknown`."""
        if self in {Verdict.DELIVERED, Verdict.LEFT_CLUSTER, Verdict.SENT}:
            return "arrived"
        return "unknown" if self is Verdict.UNKNOWN else "lost"


WORST_FIRST = ("lost", "unknown", "arrived")
"""The families of verdicts: what a question about several ways asks for first."""

FactSection = Literal[
    "address", "api", "conntrack", "envoy", "fdb", "file", "iptables-legacy", "iptables-nft", "ipvs", "link",
    "neighbour", "nftables", "qdisc", "route", "rule", "socket", "sysctl", "xfrm",
]  # fmt: skip
"""Where a fact was read: a subject of the kernel, a file of a pod, a proxy's own words, or the Kubernetes API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """The very rule, route or entry that a step rests on."""

    section: FactSection
    key: str
    """Where it stands: `nat/KUBE-SERVICES/14`, `table main`, …; stable within one snapshot."""
    text: str = ""
    """The thing itself, as `iptables-save`, `nft`, `ip route` or `bridge` print it."""
    packets: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened to the packet."""

    kind: StepKind
    text: str
    """One short sentence for people, without the evidence."""
    because: tuple[Fact, ...] = ()
    before: Packet | None = None
    after: Packet | None = None
    """Both are set exactly where the packet changed."""

    def __post_init__(self) -> None:
        """A rewrite changes something, and a change shows both sides."""
        if (self.before is None) != (self.after is None):
            raise ValueError(f"a step shows both sides of a change or none: {self.text}")
        if self.kind is StepKind.REWROTE and self.before == self.after:
            raise ValueError(f"a rewrite that changes nothing: {self.text}")


@dataclass(frozen=True, slots=True)
class History:
    """Steps so far, newest last; branches share the part that they have in common."""

    step: Step
    earlier: "History | None" = None

    def __iter__(self) -> Iterator[Step]:
        """Oldest step first."""
        steps = []
        link: History | None = self
        while link is not None:
            steps.append(link.step)
            link = link.earlier
        return reversed(steps)


def told(history: History | None, *steps: Step) -> History | None:
    """The history with these steps added."""
    for step in steps:
        history = History(step, history)
    return history


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How and where a packet's way ends."""

    verdict: Verdict
    reason: str
    """One sentence: what was missing or which rule decided."""
    remedy: str = ""
    """The command or change to try next, where one is known."""
    message: Packet | None = None
    """The ICMP error that the packet's sender should get about this end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One branch after a stage: the packet goes on, or ended."""

    weight: Fraction | None
    """Share of new connections that take this branch; None below an assumption."""
    packet: Packet
    history: History | None
    ending: Ending | None = None
    verdict: str = ""
    """What a chain said where it matters to the caller (`accept`, `return`, `continue`, …)."""
    routed_as: Packet | None = None
    """As what OUTPUT last had another way looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """What happened in one network namespace of one node."""

    node: str
    namespace: str
    """`host`, a pod as `namespace/name`, or `outside`."""
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """One way that the packet may go, from its start to its end."""

    weight: Fraction | None
    hops: tuple[Hop, ...]
    packet: Packet
    """As it ended."""
    ending: Ending
    egress: str = ""
    """Interface by which a packet leaves the last node, for SENT and LEFT_CLUSTER."""
    reply: "Path | None" = None
    """How the answer travels back; None when nothing arrived or the reply was not asked for."""

    def __post_init__(self) -> None:
        """The grammar: a path has hops, and only one that arrived is answered."""
        if not self.hops:
            raise ValueError("a path without hops")
        if self.reply is not None and self.ending.verdict is not Verdict.DELIVERED:
            raise ValueError(f"a reply to a packet that ended {self.ending.verdict}")
        if self.weight is not None and not 0 <= self.weight <= 1:
            raise ValueError(f"a weight of {self.weight}")

    @property
    def steps(self) -> Iterator[Step]:
        """All steps of all hops, in order."""
        for hop in self.hops:
            yield from hop.steps

    @property
    def assumed(self) -> tuple[str, ...]:
        """The places at which the walk could not decide."""
        return tuple(step.text for step in self.steps if step.kind is StepKind.ASSUMED)

    @property
    def masqueraded(self) -> bool:
        """The receiver sees another source than the sender used."""
        return any(
            step.kind is StepKind.REWROTE
            and step.before is not None
            and step.before.inner is None
            and step.after is not None
            and step.before.source != step.after.source
            for step in self.steps
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The answer to one question: every way that a packet may go."""

    title: str
    """The way in, for people: `pod default/client on node1 to ClusterIP 10.96.0.9:80/tcp`."""
    node: str
    """Where the packet starts; empty for one from outside."""
    packet: Packet
    paths: tuple[Path, ...]
    nodes_missing: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst ending that has weight: lost before unknown before arrived.

        What rests on an assumption has no weight, so it can be neither a loss nor an arrival for certain.
        """
        if not self.paths:
            return Verdict.UNKNOWN
        ends = (_certain(path) for path in self.paths if path.weight != 0)
        return min(ends, key=lambda verdict: WORST_FIRST.index(verdict.family))


def _certain(path: Path) -> Verdict:
    """How a path and the answer to it end, as far as nothing was assumed."""
    if path.weight is None:
        return Verdict.UNKNOWN
    reply = path.reply
    if reply is None:
        return path.ending.verdict
    if reply.weight is None:
        return Verdict.UNKNOWN
    return path.ending.verdict if reply.ending.verdict.family == "arrived" else reply.ending.verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The longest packets of one question that pass."""

    packet_bytes: int | None
    """The longest IP packet that arrives whole, or None: not even the shortest does."""
    payload_bytes: int | None
    """What of it is left for a program, without options in its headers."""
    limit: str = ""
    """Where one byte more is lost, and whether its sender hears of it; empty: nowhere."""
    pieces_from: int | None = None
    """From this length on the packet, or the one around it, is sent in pieces."""
