"""What is said of a cloud's load balancer, and by whom: the cluster's own objects, or the provider's documentation.

Nothing in a cluster shows the balancer itself. What the Service's fields, annotations, finalizers and status say, and the
objects of the controller, is the cluster's word; what the provider does with it, its defaults above all, is an assumption,
and is told as one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kubectl_packetpath.cluster.model import Cluster, Service

PREFIX = "service.beta.kubernetes.io/"


class Arrival(StrEnum):
    """Where a balancer's packets come in, and with which destination."""

    VIP = "vip"
    """At a node, with the balancer's own address and the Service's port: kube-proxy translates that."""
    NODE_PORT = "node_port"
    """At a node's own address and node port."""
    POD = "pod"
    """Straight at a pod's address and port: no proxy of a node has a part in it."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One thing that is said of a balancer."""

    topic: str
    """`provider`, `arrival`, `client`, `proxy_protocol`, `health` or `inside`."""
    text: str
    certain: bool
    """The cluster's own objects say so; else it is assumed of the provider."""
    by: str
    """The field, annotation or object, or the documentation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancer:
    """A cloud's load balancer in front of one Service."""

    provider: str
    """`AWS Network Load Balancer`."""
    arrival: Arrival
    statements: tuple[Statement, ...] = ()
    ports: tuple[str, ...] = ()
    """The Service's ports that it serves; empty: all of them."""

    def __str__(self) -> str:
        """Who it is, and where its packets come in."""
        found = self.about("arrival")
        if found is None:
            return self.provider
        return f"{self.provider}: {'' if found.certain else 'assumed: '}{found.text} [{found.by}]"

    def about(self, topic: str) -> Statement | None:
        """What is said of a topic."""
        return next((each for each in self.statements if each.topic == topic), None)

    @property
    def assumed(self) -> tuple[Statement, ...]:
        """What rests on the provider's documentation."""
        return tuple(each for each in self.statements if not each.certain)

    @property
    def doubt(self) -> str:
        """Why a verdict on its packets is none; empty: the cluster's own objects say how they come in."""
        if self.arrives_for_certain:
            return ""
        doubtful = [self.about(topic) for topic in ("provider", "arrival")]
        told = "; ".join(
            f"{each.text} [{each.by}]" for each in doubtful if each is not None and not each.certain
        )
        return f"assumed, not seen: {self.provider}: {told or 'where its packets come in'}"

    @property
    def arrives_for_certain(self) -> bool:
        """Whether the cluster's own objects say who it is and where its packets come in."""
        return all(
            found is not None and found.certain for found in (self.about("provider"), self.about("arrival"))
        )


@dataclass(slots=True, kw_only=True)
class Reader:
    """Reads one Service for one provider, and collects what is said."""

    cluster: Cluster
    service: Service
    statements: list[Statement] = field(default_factory=list)

    @property
    def annotations(self) -> Mapping[str, str]:
        """Those of the Service that are kept."""
        return dict(self.service.annotations)

    def value(self, name: str) -> str:
        """Of an annotation; empty where it is not set."""
        return self.annotations.get(name, "").strip()

    def is_on(self, name: str) -> bool:
        """Whether an annotation says true."""
        return self.value(name).lower() == "true"

    def says(self, topic: str, text: str, by: str) -> None:
        """The cluster's own word."""
        self.statements.append(Statement(topic=topic, text=text, certain=True, by=by))

    def assumes(self, topic: str, text: str, by: str) -> None:
        """The provider's documentation."""
        self.statements.append(Statement(topic=topic, text=text, certain=False, by=by))

    def knows(self, certain: bool, topic: str, text: str, by: str) -> None:
        """Either of them."""
        (self.says if certain else self.assumes)(topic, text, by)

    def balancer(self, provider: str, arrival: Arrival, ports: tuple[str, ...] = ()) -> Balancer:
        """All that was said."""
        return Balancer(provider=provider, arrival=arrival, statements=tuple(self.statements), ports=ports)

    def finalizer(self, *names: str) -> str:
        """The first of these that a controller has put on the Service."""
        return next((f"finalizer {name}" for name in names if name in self.service.finalizers), "")

    def balancer_class(self, *names: str) -> str:
        """That the Service asks for one of these classes."""
        found = self.service.balancer_class
        return f"loadBalancerClass {found}" if found in names else ""

    def annotation(self, *names: str) -> str:
        """The first of these that is set."""
        return next((f"annotation {name}: {self.value(name)}" for name in names if self.value(name)), "")

    def hostname(self, *ends: str) -> str:
        """A name in the Service's status that ends like this, or holds it between two dots."""
        names = (each.hostname.rstrip(".").lower() for each in self.service.balancer)
        return next((f"status names {name}" for name in names for end in ends if f"{end}." in f"{name}."), "")

    def nodes_of(self, scheme: str) -> str:
        """That the nodes are machines of this provider: who made the balancer is then only likely."""
        found = [each for each in self.cluster.nodes if each.provider_id.startswith(f"{scheme}://")]
        return f"providerID of node {found[0].name}: {found[0].provider_id}" if found else ""

    @property
    def is_local(self) -> bool:
        """Whether only nodes with endpoints of their own take its packets."""
        return self.service.external_traffic_policy == "Local"

    @property
    def local_check(self) -> str:
        """Where kube-proxy tells whether a node has endpoints."""
        return f"GET /healthz at each node's port {self.service.health_check_port} (healthCheckNodePort)"
