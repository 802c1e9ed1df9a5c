"""A veth pair for each pod, routed by the node, and a host route to every other node's pods: kindnet's shape.

There is no bridge: each pod has a route of its own on the node, and sees nothing but its gateway.
"""

from dataclasses import dataclass
from typing import Any

from testbed.addresses import AddressPlan
from testbed.networks.base import (
    NetworkDaemon,
    NodePlace,
    Rule,
    config_list,
    host_local,
    masquerade_outside,
    routes_on_router,
    routes_to_other_nodes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PointToPoint:
    """The CNI plugin `ptp`, with host routes."""

    name: str = "ptp"
    program_sets: tuple[str, ...] = ()
    crosses_subnets: bool = True
    link_kind: str | None = None

    def cni_config(self, place: NodePlace) -> dict[str, Any]:
        """One veth pair per pod."""
        return config_list(
            self.name, {"type": "ptp", "ipMasq": False, "mtu": 1500, "ipam": host_local(place)}
        )

    def routes(self, place: NodePlace) -> list[str]:
        """To every other node's pods."""
        return routes_to_other_nodes(place)

    def router_routes(self, plan: AddressPlan) -> list[str]:
        """Pods keep their addresses on the way to the other subnet, so the router has to know them."""
        return routes_on_router(plan)

    def rules(self, place: NodePlace) -> list[Rule]:
        """Only what leaves the cluster is masqueraded."""
        return masquerade_outside(place)

    def daemon(self, place: NodePlace) -> NetworkDaemon | None:
        """Nothing runs."""
        del place
        return None

    def manifests(self, plan: AddressPlan) -> list[dict[str, Any]]:
        """None."""
        del plan
        return []
