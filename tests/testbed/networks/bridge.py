"""A bridge on each node, and a host route to every other node's pods.

The plainest network there is: `bridge` plugs each pod's veth into cni0, and packets to other nodes are routed.
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
class Bridge:
    """The CNI plugin `bridge`, with host routes."""

    name: str = "bridge"
    program_sets: tuple[str, ...] = ()
    crosses_subnets: bool = True
    link_kind: str | None = None

    def cni_config(self, place: NodePlace) -> dict[str, Any]:
        """Hairpin mode lets a pod reach itself through a Service."""
        bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "hairpinMode": True}
        return config_list(self.name, bridge | {"ipam": host_local(place)})

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
