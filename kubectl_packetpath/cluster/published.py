"""What a Service publishes, and who stands behind it, by the word of the API."""

from collections.abc import Iterator

from kubectl_packetpath.cluster.model import Cluster, Service, ServicePort
from kubectl_packetpath.cluster.question import Expected
from kubectl_packetpath.packet import Address


def expected_endpoints(
    cluster: Cluster, service: Service, port: ServicePort, version: int
) -> Iterator[Expected]:
    """The ready endpoints behind a port, in one IP version."""
    seen = set()
    for part in cluster.slices_of(service):
        number = next(
            (p.port for p in part.ports if (p.name, p.protocol) == (port.name, port.protocol)), None
        )
        for each in part.endpoints:
            if number is None or not each.ready:
                continue
            for address in each.addresses[:1]:
                if address.version == version and address not in seen:
                    seen.add(address)
                    abroad = not (each.pod or each.node) and not _is_inside(cluster, address)
                    yield Expected(address=address, port=number, pod=each.pod, node=each.node, abroad=abroad)


def _is_inside(cluster: Cluster, address: Address) -> bool:
    """Whether a node or pod has the address, or may have it."""
    if cluster.pod_with(address) is not None or cluster.node_with(address) is not None:
        return True
    return any(address in network for node in cluster.nodes for network in node.pod_networks)


def published_addresses(
    cluster: Cluster, service: Service, port: ServicePort
) -> Iterator[tuple[tuple[Address, int], str]]:
    """Every address and port of a Service's port, and which way in that is."""
    for address in service.cluster_ips:
        yield (address, port.port), "ClusterIP"
    for address in service.external_ips:
        yield (address, port.port), "ExternalIP"
    for each in service.balancer:
        if each.address is not None:
            yield (each.address, port.port), "LoadBalancer"
    if port.node_port:
        for node in cluster.nodes:
            for address in node.addresses:
                yield (address, port.node_port), "NodePort"
