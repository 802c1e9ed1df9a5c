"""The clusters that are recorded for the stories."""

from collections.abc import Callable

from testbed.addons import contour, metallb
from testbed.cluster import Cluster
from testbed.spec import ClusterSpec


def overlay(name: str) -> Cluster:
    """Flannel's VXLAN between three zones, kube-proxy with iptables, CoreDNS, MetalLB by ARP, Contour with its Envoys."""
    spec = ClusterSpec.of(name, nodes=3, proxy="iptables-nft", network="flannel-vxlan", dns=True)
    cluster = Cluster.up(spec)
    for number, node in enumerate(cluster.nodes):
        labels = {"topology.kubernetes.io/zone": f"us-east-1{'abc'[number]}"}
        cluster.kube.patch(
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node.name, "labels": labels}}
        )
    metallb.install(cluster)
    contour.install(cluster)
    return cluster


def routed(name: str) -> Cluster:
    """Pods' networks announced by BGP (bird on every node and on the router), kube-proxy with iptables."""
    return Cluster.up(ClusterSpec.of(name, nodes=2, proxy="iptables-nft", network="bgp"))


CLUSTERS: dict[str, Callable[[str], Cluster]] = {"overlay": overlay, "routed": routed}
"""By the name of the recording."""
