"""Pod networks. A new one is one file, listed here."""

from testbed.networks.base import PodNetwork
from testbed.networks.bgp import Bgp
from testbed.networks.bridge import Bridge
from testbed.networks.calico import CALICO_BGP, CALICO_IPIP, CALICO_VXLAN
from testbed.networks.flannel import FLANNEL_HOSTGW, FLANNEL_IPIP, FLANNEL_VXLAN, FLANNEL_WIREGUARD
from testbed.networks.ptp import PointToPoint

NETWORKS: tuple[PodNetwork, ...] = (Bridge(), FLANNEL_HOSTGW, FLANNEL_VXLAN, PointToPoint())
"""Those that run on every kernel with network namespaces."""
ENFORCING_NETWORKS: tuple[PodNetwork, ...] = (CALICO_BGP, CALICO_VXLAN)
"""Those that also enforce policies."""
ROUTING_NETWORKS: tuple[PodNetwork, ...] = (Bgp(),)
"""Those whose nodes and router tell each other the ways; not in the matrix, whose proxies know nothing of it."""
SPECIAL_NETWORKS: tuple[PodNetwork, ...] = (CALICO_IPIP, FLANNEL_IPIP, FLANNEL_WIREGUARD)
"""Those that need devices which a kernel may lack; the virtual machine's has them."""


def network(name: str) -> PodNetwork:
    """The pod network with this name."""
    for each in _all():
        if each.name == name:
            return each
    raise ValueError(f"There is no pod network {name!r}; there are: {', '.join(names())}.")


def names() -> list[str]:
    """What a description may name."""
    return [each.name for each in _all()]


def _all() -> tuple[PodNetwork, ...]:
    return (*NETWORKS, *ENFORCING_NETWORKS, *ROUTING_NETWORKS, *SPECIAL_NETWORKS)
