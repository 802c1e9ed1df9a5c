"""Where packets start inside of the cluster when nobody says: a pod of each node, or the node itself."""

from collections.abc import Iterable

from kubectl_packetpath.cluster.ask import TargetKind
from kubectl_packetpath.cluster.model import Cluster, Node, Service
from kubectl_packetpath.cluster.question import Start


def start_on(cluster: Cluster, node: Node, service: Service | None, version: int) -> Start | None:
    """A pod that speaks for all pods of a node; the node's own programs where it has none."""
    pods = [
        pod
        for pod in cluster.pods
        if pod.node == node.name and pod.is_client and any(a.version == version for a in pod.addresses)
    ]
    behind = _behind(cluster, service)
    home = service.namespace if service is not None else cluster.namespace
    pods.sort(key=lambda p: (p.full_name in behind, p.namespace != home, p.full_name))
    if pods:
        return Start(kind=TargetKind.POD, node=node.name, pod=pods[0])
    return Start(kind=TargetKind.NODE, node=node.name) if node.address(version) is not None else None


def _behind(cluster: Cluster, service: Service | None) -> set[str]:
    if service is None:
        return set()
    parts: Iterable[str] = (
        f"{part.namespace}/{each.pod}" for part in cluster.slices_of(service) for each in part.endpoints
    )
    return set(parts)
