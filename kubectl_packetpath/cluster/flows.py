"""Existing connections to a Service, and whether those who answer them are still its endpoints.

A new connection asks the rules; an existing one asks the connection table alone, and goes where it went before, also
when nobody is there any more. UDP clients that never rest keep such an entry alive for ever.

Kubernetes: pkg/proxy/conntrack/cleanup.go (what kube-proxy itself clears away)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from kubectl_packetpath.cluster.absence import endpoints_of
from kubectl_packetpath.cluster.model import Cluster, Service
from kubectl_packetpath.cluster.question import PROXIED, Question
from kubectl_packetpath.packet import PROTOCOL_NAMES, UDP, Address, endpoint
from kubectl_packetpath.snapshot.conntrack import FlowCount, FlowFilter, Taker


class Standing(StrEnum):
    """What the API says of whoever answers an existing connection."""

    CURRENT = "current"
    """A ready endpoint."""
    TERMINATING = "terminating"
    """It serves until it ends."""
    NOT_READY = "not_ready"
    GONE = "gone"
    """No endpoint of the Service any more."""
    UNTRANSLATED = "untranslated"
    """Nobody: the connection began while the node had no rule for the Service, and still goes to its own address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """Existing connections on one node that go to one place."""

    node: str
    destination: Address
    port: int
    protocol: int
    """Where their clients sent them."""
    taker: Address
    taker_port: int
    pod: str = ""
    """The pod with this address now."""
    standing: Standing
    count: int
    unanswered: int = 0
    samples: tuple[str, ...] = ()
    """A few of them, much as `conntrack -L` prints them."""

    @property
    def is_pinned(self) -> bool:
        """They should go elsewhere. TCP stays with an endpoint that is not ready, as it should."""
        pinned = {Standing.GONE, Standing.UNTRANSLATED}
        return self.standing in pinned or (self.standing is Standing.NOT_READY and self.protocol == UDP)

    @property
    def where_to(self) -> str:
        """Their destination now."""
        return endpoint(self.taker, self.taker_port)

    @property
    def clearing(self) -> str:
        """The command that clears them away, on their node."""
        name = PROTOCOL_NAMES[self.protocol]
        family = " -f ipv6" if self.destination.version == 6 else ""
        return (
            f"conntrack -D{family} -p {name} --orig-dst {self.destination} --orig-port-dst {self.port} "
            f"--reply-src {self.taker}"
        )


def filter_of(question: Question) -> FlowFilter | None:
    """What to ask the connection table; None: this way has no translation that could be out of date."""
    if question.way not in PROXIED or question.protocol not in PROTOCOL_NAMES:
        return None
    return FlowFilter(destination=question.destination, protocol=question.protocol, dport=question.port)


def existing(cluster: Cluster, service: Service, question: Question, found: FlowCount) -> Iterator[Existing]:
    """The connections of one way, by who answers them; the pinned ones first."""
    told = [_existing(cluster, service, question, taker) for taker in found.takers]
    yield from sorted(told, key=lambda each: (not each.is_pinned, -each.count, str(each.taker)))


def _existing(cluster: Cluster, service: Service, question: Question, taker: Taker) -> Existing:
    pod = cluster.pod_with(taker.address)
    return Existing(
        node=question.start.node,
        destination=question.destination,
        port=question.port,
        protocol=question.protocol,
        taker=taker.address,
        taker_port=taker.port,
        pod=pod.full_name if pod is not None else "",
        standing=_standing(cluster, service, question, taker),
        count=taker.count,
        unanswered=taker.unanswered,
    )


def _standing(cluster: Cluster, service: Service, question: Question, taker: Taker) -> Standing:
    own = [each for each in endpoints_of(cluster, service) if taker.address in each.addresses]
    if any(each.ready for each in own):
        return Standing.CURRENT
    if any(each.serving and each.terminating for each in own):
        return Standing.TERMINATING
    if own:
        return Standing.NOT_READY
    untouched = (taker.address, taker.port) == (question.destination, question.port)
    return Standing.UNTRANSLATED if untouched else Standing.GONE


__all__ = ["Existing", "Standing", "existing", "filter_of"]
