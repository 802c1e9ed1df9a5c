"""Pod networks. A new one is one file, listed here."""

from testbed.networks.base import PodNetwork
from testbed.networks.bridge import Bridge
from testbed.networks.flannel import FLANNEL_HOSTGW, FLANNEL_VXLAN
from testbed.networks.ptp import PointToPoint

NETWORKS: tuple[PodNetwork, ...] = (Bridge(), FLANNEL_HOSTGW, FLANNEL_VXLAN, PointToPoint())


def network(name: str) -> PodNetwork:
    """The pod network with this name."""
    for each in NETWORKS:
        if each.name == name:
            return each
    raise ValueError(
        f"There is no pod network {name!r}; there are: {', '.join(each.name for each in NETWORKS)}."
    )
