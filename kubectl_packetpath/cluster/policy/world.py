"""What policies are judged against: labels of pods, namespaces and nodes, as far as they were read."""

from dataclasses import dataclass

from kubectl_packetpath.cluster.model import Cluster, Node, Pod
from kubectl_packetpath.cluster.policy.selectors import NAME_LABEL, Labels
from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.absent import Absent


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The cluster, in the questions that a policy asks."""

    cluster: Cluster

    def labels_of_pod(self, pod: Pod) -> Labels:
        """A pod's own labels."""
        return Labels(pairs=dict(pod.labels))

    def labels_of_namespace(self, name: str) -> Labels:
        """A namespace's labels; its name at least is always one of them."""
        listed = self.cluster.namespaces
        if isinstance(listed, Absent):
            return Labels(pairs={NAME_LABEL: name}, complete=False)
        found = next((each for each in listed if each.name == name), None)
        if found is None:
            return Labels(pairs={NAME_LABEL: name}, complete=False)
        return Labels(pairs={NAME_LABEL: name, **dict(found.labels)})

    def labels_of_node(self, name: str) -> Labels:
        """A node's labels."""
        found = self.cluster.node(name)
        return Labels(complete=False) if found is None else Labels(pairs=dict(found.labels))

    def node_with(self, address: Address) -> Node | None:
        """The node whose address this is."""
        return self.cluster.node_with(address)
