"""What policies are judged against: labels of pods, namespaces and nodes, as far as they were read."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from kubectl_packetpath.cluster.model import Cluster, Node, Pod
from kubectl_packetpath.cluster.policy.objects import NetworkPolicy
from kubectl_packetpath.cluster.policy.selectors import NAME_LABEL, Labels
from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.absent import Absent


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The cluster, in the questions that a policy asks."""

    cluster: Cluster
    namespaces: Mapping[str, Labels]
    """Their labels, by name; those that were not read are not here."""
    policies: Mapping[str, tuple[NetworkPolicy, ...]]
    """NetworkPolicies by namespace."""

    @classmethod
    def of(cls, cluster: Cluster) -> "World":
        """Made once for many flows: a big cluster has thousands of each."""
        policies = defaultdict(list)
        for policy in cluster.policies.namespaced:
            policies[policy.name.namespace].append(policy)
        listed = () if isinstance(cluster.namespaces, Absent) else cluster.namespaces
        return cls(
            cluster=cluster,
            namespaces={
                each.name: Labels(pairs={NAME_LABEL: each.name} | dict(each.labels)) for each in listed
            },
            policies={name: tuple(found) for name, found in policies.items()},
        )

    def policies_in(self, namespace: str) -> tuple[NetworkPolicy, ...]:
        """The NetworkPolicies of a namespace."""
        return self.policies.get(namespace, ())

    def labels_of_pod(self, pod: Pod) -> Labels:
        """A pod's own labels."""
        return Labels(pairs=dict(pod.labels))

    def labels_of_namespace(self, name: str) -> Labels:
        """A namespace's labels; its name at least is always one of them."""
        found = self.namespaces.get(name)
        return Labels(pairs={NAME_LABEL: name}, complete=False) if found is None else found

    def labels_of_node(self, name: str) -> Labels:
        """A node's labels."""
        found = self.cluster.node(name)
        return Labels(complete=False) if found is None else Labels(pairs=dict(found.labels))

    def node_with(self, address: Address) -> Node | None:
        """The node whose address this is."""
        return self.cluster.node_with(address)
