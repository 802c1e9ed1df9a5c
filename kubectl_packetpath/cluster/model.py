"""The Kubernetes objects that a packet's way depends on, as plain data.

Only what a question, an expectation or a name in an answer needs; everything else stays in the API.

Kubernetes: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/
"""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network

from kubectl_packetpath.cluster.http.web import NO_WEB, Web
from kubectl_packetpath.cluster.policy.objects import NO_POLICIES, Policies
from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.absent import Absent, Section, Why

Network = IPv4Network | IPv6Network
NOT_ASKED = Absent(why=Why.NOT_ASKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """One port that a Service offers."""

    name: str = ""
    protocol: str = "TCP"
    """TCP, UDP or SCTP."""
    port: int
    node_port: int | None = None
    target_port: str = ""
    """A number or the name of a container's port, as written."""
    app_protocol: str = ""

    @property
    def title(self) -> str:
        """`http (80/TCP)` or `80/TCP`."""
        number = f"{self.port}/{self.protocol}"
        return f"{self.name} ({number})" if self.name else number


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerAddress:
    """An address under which a load balancer publishes a Service."""

    address: Address | None = None
    hostname: str = ""
    mode: str = "VIP"
    """VIP: packets reach the nodes with this destination. Proxy: the balancer changes it first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A Service."""

    namespace: str
    name: str
    type: str = "ClusterIP"
    cluster_ips: tuple[Address, ...] = ()
    headless: bool = False
    ports: tuple[ServicePort, ...] = ()
    selector: tuple[tuple[str, str], ...] = ()
    external_name: str = ""
    external_ips: tuple[Address, ...] = ()
    balancer: tuple[BalancerAddress, ...] = ()
    external_traffic_policy: str = "Cluster"
    internal_traffic_policy: str = "Cluster"
    session_affinity: str = "None"
    publish_not_ready: bool = False
    """Its endpoints count as ready before their pods are."""
    source_ranges: tuple[Network, ...] = ()
    """loadBalancerSourceRanges: who may use its load balancer's addresses; empty: everybody."""
    health_check_port: int | None = None
    """healthCheckNodePort, where kube-proxy tells a load balancer whether a node has endpoints of its own."""
    balancer_class: str = ""
    """loadBalancerClass: who shall provide its load balancer; empty: whoever does so by default."""
    finalizers: tuple[str, ...] = ()
    """Of controllers that have made something for it outside of the cluster."""
    annotations: tuple[tuple[str, str], ...] = ()
    """Only those by which ingress controllers and load balancers tell, or are told, how the Service is reached."""

    @property
    def full_name(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One entry of an EndpointSlice."""

    addresses: tuple[Address, ...]
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    node: str = ""
    zone: str = ""
    zone_hints: tuple[str, ...] = ()
    node_hints: tuple[str, ...] = ()
    pod: str = ""
    """Name of the pod behind, in the Service's namespace; empty for other targets."""
    hostname: str = ""
    """Its own name in DNS; empty: its address written with dashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointPort:
    """A port on which the endpoints of a slice are reached."""

    name: str = ""
    protocol: str = "TCP"
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSlice:
    """A part of a Service's endpoints, of one address family."""

    namespace: str
    name: str
    service: str
    ports: tuple[EndpointPort, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    changed: datetime | None = None
    """When a pod or the Service last changed so that this had to be written again; None: nobody noted it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPort:
    """A port that a container declares."""

    name: str = ""
    port: int
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsConfig:
    """What a pod adds to its resolver's configuration."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod that is, or may become, one end of a connection."""

    namespace: str
    name: str
    uid: str = ""
    node: str = ""
    addresses: tuple[Address, ...] = ()
    host_network: bool = False
    ports: tuple[ContainerPort, ...] = ()
    phase: str = "Running"
    ready: bool = True
    labels: tuple[tuple[str, str], ...] = ()
    dns_policy: str = "ClusterFirst"
    dns_config: DnsConfig | None = None

    @property
    def full_name(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def is_client(self) -> bool:
        """Whether it has a network namespace of its own from which a connection could start now."""
        return self.phase == "Running" and not self.host_network and bool(self.addresses) and bool(self.node)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node."""

    name: str
    addresses: tuple[Address, ...] = ()
    """Internal ones first, then external."""
    pod_networks: tuple[Network, ...] = ()
    zone: str = ""
    ready: bool = True
    labels: tuple[tuple[str, str], ...] = ()
    provider_id: str = ""
    """Which machine of which cloud it is: `aws:///eu-west-1a/i-0123`."""

    def address(self, version: int) -> Address | None:
        """Its first address of this IP version."""
        return next((address for address in self.addresses if address.version == version), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A namespace, which policies choose by its labels."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSet:
    """A program that runs on every node, by which a pod network or an enforcer of policies is known."""

    namespace: str
    name: str
    images: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    """Arguments of its containers; only those that switch policies on or off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A node that announces a load balancer's addresses, by the word of what runs there."""

    namespace: str
    name: str
    """Of the Service."""
    node: str
    how: str = "L2"
    """`L2` (ARP and NDP) or `BGP`."""
    peers: tuple[str, ...] = ()
    """To whom, by BGP."""
    source: str = ""
    """The object that says so."""
    speaker: str = ""
    """The pod that does it, as `namespace/name`."""
    speaker_ready: bool | None = None
    """None: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGroup:
    """To whom a load balancer of AWS sends for a Service, by its controller's TargetGroupBinding."""

    namespace: str
    name: str
    service: str
    target_type: str = "instance"
    """`instance` or `ip`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What was read of a cluster: the objects around one question, or all of a bundle."""

    context: str = ""
    """The kubeconfig context or the file's name, for people."""
    namespace: str = "default"
    """Where names without a namespace are looked up."""
    recorded: bool = False
    """Whether it is a recording, of which kubectl knows nothing."""
    services: tuple[Service, ...] = ()
    slices: tuple[EndpointSlice, ...] = ()
    pods: tuple[Pod, ...] = ()
    nodes: tuple[Node, ...] = ()
    namespaces: Section[Namespace] = NOT_ASKED
    policies: Policies = NO_POLICIES
    daemonsets: Section[DaemonSet] = NOT_ASKED
    announcements: Section[Announcement] = NOT_ASKED
    """Who takes packets for load balancers' addresses."""
    target_groups: Section[TargetGroup] = NOT_ASKED
    web: Web = NO_WEB
    """What says where HTTP requests go."""

    def service(self, namespace: str, name: str) -> Service | None:
        """A Service by name."""
        return next((s for s in self.services if (s.namespace, s.name) == (namespace, name)), None)

    def pod(self, namespace: str, name: str) -> Pod | None:
        """A pod by name."""
        return next((p for p in self.pods if (p.namespace, p.name) == (namespace, name)), None)

    def node(self, name: str) -> Node | None:
        """A node by name."""
        return next((n for n in self.nodes if n.name == name), None)

    def slices_of(self, service: Service) -> tuple[EndpointSlice, ...]:
        """The EndpointSlices of a Service."""
        return tuple(s for s in self.slices if (s.namespace, s.service) == (service.namespace, service.name))

    def pod_with(self, address: Address) -> Pod | None:
        """The pod that has this address to itself."""
        return next(
            (
                p
                for p in self.pods
                if address in p.addresses and not p.host_network and p.phase in {"Running", "Pending"}
            ),
            None,
        )

    def node_with(self, address: Address) -> Node | None:
        """The node that has this address."""
        return next((n for n in self.nodes if address in n.addresses), None)
