"""Policies as plain data: NetworkPolicies of a namespace, and the cluster's own, which stand before and after them.

AdminNetworkPolicy, BaselineAdminNetworkPolicy and their successor ClusterNetworkPolicy say the same things in
different words. They are kept as one kind of policy in one of two tiers.

Kubernetes: https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/
Kubernetes: https://network-policy-api.sigs.k8s.io/api-overview/ (KEP-2091)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network

from kubectl_packetpath.cluster.policy.selectors import EVERYTHING, LabelSelector
from kubectl_packetpath.snapshot.absent import Absent, Why

Network = IPv4Network | IPv6Network


class Direction(StrEnum):
    """Which end of a flow is asked: the pod that takes it, or the one that sends it."""

    INGRESS = "ingress"
    EGRESS = "egress"


class Tier(StrEnum):
    """Where the cluster's own policies stand to those of the namespaces."""

    ADMIN = "Admin"
    """Before NetworkPolicies, which cannot overrule it."""
    BASELINE = "Baseline"
    """After NetworkPolicies, for pods that none of them isolates."""


class Action(StrEnum):
    """What a rule of the cluster's own policies does."""

    ALLOW = "Allow"
    DENY = "Deny"
    PASS = "Pass"  # noqa: S105 - a policy's word
    """Leave this tier, and let the next one decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortMatch:
    """The ports that a rule is about."""

    protocol: str = "TCP"
    """TCP, UDP or SCTP; empty: whatever the named port has."""
    first: int | None = None
    """None, without a name: every port of the protocol."""
    last: int | None = None
    """The end of a range, itself included; None: the first port alone."""
    name: str = ""
    """The name of a container's port, in place of a number."""

    def __str__(self) -> str:
        """`80/TCP`, `8000-8080/UDP`, `http/TCP` or `SCTP`."""
        number = "" if self.first is None else str(self.first)
        if self.last is not None and self.last != self.first:
            number = f"{number}-{self.last}"
        return "/".join(part for part in (self.name or number, self.protocol) if part) or "no port"


@dataclass(frozen=True, slots=True, kw_only=True)
class IpBlock:
    """A network, without parts of it."""

    network: Network | None
    """None: what is written there is no network."""
    written: str
    excepted: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who the other end may be; one that says nothing which is known here is no peer at all."""

    pods: LabelSelector | None = None
    """None: not said."""
    namespaces: LabelSelector | None = None
    block: IpBlock | None = None
    nodes: LabelSelector | None = None
    networks: tuple[IpBlock, ...] = ()
    domains: tuple[str, ...] = ()
    same_labels: tuple[str, ...] = ()
    """Namespaces whose values of these labels are those of the subject's namespace (older AdminNetworkPolicy)."""
    not_same_labels: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether it says anything that is understood."""
        return self != Peer()


NOBODY = Peer()
"""A peer that says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a policy: who, and on which ports."""

    peers: tuple[Peer, ...] = ()
    """For a NetworkPolicy, none means everybody."""
    ports: tuple[PortMatch, ...] | None = None
    """None: every port of every protocol."""
    action: Action = Action.ALLOW
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyName:
    """A policy by its name."""

    kind: str
    namespace: str = ""
    name: str

    def __str__(self) -> str:
        """`shop/allow-web`, or `AdminNetworkPolicy guard`."""
        return f"{self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPolicy:
    """A NetworkPolicy: what it selects is closed for its directions, but for what its rules open."""

    name: PolicyName
    selector: LabelSelector = EVERYTHING
    directions: tuple[Direction, ...] = (Direction.INGRESS,)
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()

    def rules(self, direction: Direction) -> tuple[Rule, ...]:
        """What it opens in one direction."""
        return self.ingress if direction is Direction.INGRESS else self.egress


@dataclass(frozen=True, slots=True, kw_only=True)
class TieredPolicy:
    """A policy of the cluster's administrator: the first rule that matches decides."""

    name: PolicyName
    tier: Tier
    priority: int = 0
    """The lowest number is asked first."""
    subject: Peer = NOBODY
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()

    def rules(self, direction: Direction) -> tuple[Rule, ...]:
        """What it says of one direction."""
        return self.ingress if direction is Direction.INGRESS else self.egress


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """All policies of a cluster that could be read."""

    namespaced: tuple[NetworkPolicy, ...] = ()
    tiered: tuple[TieredPolicy, ...] = ()
    absent: Mapping[str, Absent] = field(default_factory=dict)
    """Kinds that were not read, and why; a kind that the cluster does not have is not listed here."""
    namespaces_read: tuple[str, ...] = ()
    """Where NetworkPolicies may not be read everywhere: the namespaces in which they were; empty: everywhere."""

    def unread(self, namespace: str) -> str:
        """Why the policies of a namespace are not known; empty where they are."""
        if (absent := self.absent.get("networkpolicies")) is not None:
            return absent.detail or str(absent.why)
        if self.namespaces_read and namespace not in self.namespaces_read:
            return f"NetworkPolicies may not be read in namespace {namespace}"
        return ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be read though it was asked for, one sentence each."""
        refused = [kind for kind, each in self.absent.items() if each.why is Why.NOT_PERMITTED]
        told = [f"Policies are not all known: {', '.join(refused)} may not be read."] if refused else []
        if self.namespaces_read:
            told.append(f"NetworkPolicies are known of {', '.join(self.namespaces_read)} only.")
        return tuple(told)

    @property
    def unread_tiers(self) -> str:
        """Why the cluster's own policies are not known; empty where they are."""
        kinds = ("adminnetworkpolicies", "baselineadminnetworkpolicies", "clusternetworkpolicies")
        return "; ".join(self.absent[kind].detail or kind for kind in kinds if kind in self.absent)


NO_POLICIES = Policies()
