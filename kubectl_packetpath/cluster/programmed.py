"""What the API promises of a Service beside what a node has really programmed: drift.

The promise is the ready endpoints that a proxy on that node should choose from; the program is where the kernel's own
rules send the packets. Where the promise is a matter of the proxy's taste (topology hints, endpoints that are
terminating), nothing is said.

Kubernetes: pkg/proxy/topology.go CategorizeEndpoints, docs/reference/networking/virtual-ips
"""

from dataclasses import dataclass

from kubectl_packetpath.cluster.absence import endpoints_of
from kubectl_packetpath.cluster.answer import Answered
from kubectl_packetpath.cluster.ask import TargetKind
from kubectl_packetpath.cluster.model import Cluster, Service
from kubectl_packetpath.cluster.question import PROXIED, Expected
from kubectl_packetpath.packet import Address
from kubectl_packetpath.trace import Path, StepKind

ROUNDING = 1e-6
"""What the kernel's 32-bit shares of chance may be off together."""
End = tuple[Address, int]


def policy_of(service: Service, way: Answered) -> str:
    """Cluster or Local: the traffic policy that this way is under."""
    if way.question.way == "ClusterIP":
        return service.internal_traffic_policy
    return service.external_traffic_policy if way.question.start.kind is TargetKind.OUTSIDE else "Cluster"


def chosen_by(path: Path, way: Answered) -> End | None:
    """Where the destination of a path was changed to, the last time that it was; None: it never was."""
    found: End | None = None
    for step in path.steps:
        before, after = step.before, step.after
        if step.kind is not StepKind.REWROTE or before is None or after is None or before.inner is not None:
            continue
        if (before.destination, before.dport) != (after.destination, after.dport):
            found = (after.destination, after.dport or 0)
    if found is None and way.question.way in PROXIED:
        last = path.packet.innermost
        end = (last.destination, last.dport or 0)
        return end if end != (way.question.destination, way.question.port) else None
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A way in: who should be chosen there, and who is."""

    node: str
    promised: tuple[Expected, ...] = ()
    """Endpoints that the node's proxy should choose from; empty: that cannot be said."""
    programmed: frozenset[End] = frozenset()
    complete: bool = True
    """All paths of the way are there, and none of them was assumed or lost from sight."""
    known: frozenset[Address] = frozenset()
    """Addresses that the API has as endpoints that may still be there: ready, or serving while they terminate."""

    @property
    def missing(self) -> tuple[Expected, ...]:
        """Promised and not programmed."""
        return (
            tuple(each for each in self.promised if (each.address, each.port) not in self.programmed)
            if self.complete
            else ()
        )

    @property
    def gone(self) -> tuple[End, ...]:
        """Programmed, and no endpoint any more."""
        return tuple(sorted((end for end in self.programmed if end[0] not in self.known), key=str))


def compared(cluster: Cluster, service: Service, way: Answered) -> Comparison:
    """The promise and the program of one way in."""
    question = way.question
    paths = [path for path in way.trace.paths if path.weight != 0]
    ends = [chosen_by(path, way) for path in paths]
    shares = [float(path.weight) for path in paths if path.weight is not None]
    whole = len(shares) == len(paths) and abs(sum(shares) - 1) < ROUNDING
    every = endpoints_of(cluster, service)
    return Comparison(
        node=question.start.node,
        promised=promised(service, way, cluster),
        programmed=frozenset(end for end in ends if end is not None),
        complete=whole and not any(path.ending.verdict.family == "unknown" for path in paths),
        known=frozenset(
            address
            for each in every
            if each.ready or (each.serving and each.terminating)
            for address in each.addresses
        ),
    )


def promised(service: Service, way: Answered, cluster: Cluster) -> tuple[Expected, ...]:
    """The ready endpoints that a proxy should choose from here; empty where that is left to it."""
    question = way.question
    every = endpoints_of(cluster, service)
    if any(each.zone_hints or each.node_hints for each in every) or service.session_affinity != "None":
        return ()
    if policy_of(service, way) == "Local":
        return tuple(each for each in question.expected if each.node == question.start.node)
    return question.expected
