"""The Service and the pods in which a controller's proxies run: where requests come in.

Found by the addresses that the controller published, then by the labels that it gives what it makes for a Gateway,
then by those of its usual installation.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from kubectl_packetpath.cluster.http.controllers.base import Controller
from kubectl_packetpath.cluster.http.gateway.model import Gateway
from kubectl_packetpath.cluster.model import Cluster, Node, Pod, Service
from kubectl_packetpath.packet import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """Where requests for a controller come in."""

    services: tuple[Service, ...] = ()
    pods: tuple[Pod, ...] = ()
    """Proxies, whether they are ready or not."""
    why: str = ""
    """How they were found, or why not."""

    @property
    def is_known(self) -> bool:
        """Whether a proxy was found."""
        return bool(self.pods)


def entrance(
    cluster: Cluster, controller: Controller, published: Iterable[str], gateway: Gateway | None = None
) -> Entrance:
    """The proxies of a controller."""
    shown = [each for each in published if each]
    if not controller.in_cluster:
        return Entrance(why=f"the proxies of {controller.product} are outside of the cluster")
    by_address = tuple(_with_addresses(cluster, shown))
    if by_address:
        names = ", ".join(each.full_name for each in by_address)
        return _behind(cluster, by_address, f"Service {names} has the published address {', '.join(shown)}")
    if gateway is not None:
        pods = tuple(_of_gateway(cluster, controller, gateway))
        if pods:
            return Entrance(
                services=tuple(_in_front(cluster, pods)),
                pods=pods,
                why=f"their labels name {gateway.reference}",
            )
    pods = tuple(pod for pod in cluster.pods if set(controller.labels) & set(pod.labels))
    if pods:
        return Entrance(
            services=tuple(_in_front(cluster, pods)),
            pods=pods,
            why=f"they have the labels of a usual installation of {controller.product}",
        )
    pods = tuple(_on_nodes(cluster, shown))
    if pods:
        return Entrance(pods=pods, why=f"they use the network of the node with {', '.join(shown)}")
    return Entrance(why=f"no pod of {controller.product} was found")


def _with_addresses(cluster: Cluster, published: list[str]) -> Iterator[Service]:
    for service in cluster.services:
        own = {str(each.address) for each in service.balancer if each.address is not None}
        own |= {each.hostname for each in service.balancer if each.hostname}
        own |= {str(each) for each in (*service.external_ips, *service.cluster_ips)}
        if own & set(published):
            yield service


def _behind(cluster: Cluster, services: tuple[Service, ...], why: str) -> Entrance:
    pods = {
        (pod.namespace, pod.name): pod
        for service in services
        if service.selector
        for pod in cluster.pods
        if selects(service, pod)
    }
    for service in services:
        for part in cluster.slices_of(service):
            for each in part.endpoints:
                found = cluster.pod(service.namespace, each.pod)
                if found is not None:
                    pods.setdefault((found.namespace, found.name), found)
    return Entrance(services=services, pods=tuple(pods.values()), why=why)


def selects(service: Service, pod: Pod) -> bool:
    """Whether a Service's selector fits a pod."""
    wanted = set(service.selector)
    return bool(wanted) and service.namespace == pod.namespace and wanted <= set(pod.labels)


def _of_gateway(cluster: Cluster, controller: Controller, gateway: Gateway) -> Iterator[Pod]:
    for pod in cluster.pods:
        labels = dict(pod.labels)
        if any(labels.get(key) == gateway.name for key in controller.gateway_labels):
            yield pod


def _in_front(cluster: Cluster, pods: tuple[Pod, ...]) -> Iterator[Service]:
    for service in cluster.services:
        if any(selects(service, pod) for pod in pods):
            yield service


def _on_nodes(cluster: Cluster, published: list[str]) -> Iterator[Pod]:
    nodes = {node.name for each in published for node in _nodes_with(cluster, each)}
    for pod in cluster.pods:
        if pod.node in nodes and pod.host_network and any(port.port in {80, 443} for port in pod.ports):
            yield pod


def _nodes_with(cluster: Cluster, text: str) -> Iterator[Node]:
    address = _address(text)
    node = cluster.node_with(address) if address is not None else None
    if node is not None:
        yield node


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
