"""flannel, with its real daemon on every node: one pod network for each of its back ends.

The daemon makes devices, routes and rules, and writes down the node's range and MTU; its CNI plugin calls `bridge`
with them. `flannel-vxlan` wraps packets between nodes in UDP, `flannel-hostgw` sends them as they are by host routes,
`flannel-ipip` and `flannel-wireguard` use devices that not every kernel can make.
"""

from dataclasses import dataclass
from typing import Any

from testbed.addresses import AddressPlan
from testbed.images import program_path
from testbed.networks.base import NetworkDaemon, NodePlace, Rule, config_list


@dataclass(frozen=True, slots=True, kw_only=True)
class Flannel:
    """The CNI plugin `flannel`, and the daemon that it listens to."""

    name: str
    backend: dict[str, Any]
    """As in net-conf.json."""
    crosses_subnets: bool = True
    nftables: bool = False
    """Whether its firewall rules are nftables'."""
    link_kind: str | None = None
    """The kind of its devices, where not every kernel can make them."""
    program_sets: tuple[str, ...] = ("flannel",)

    def cni_config(self, place: NodePlace) -> dict[str, Any]:
        """As in flannel's own manifest."""
        del place
        delegate = {"hairpinMode": True, "isDefaultGateway": True}
        return config_list("cbr0", {"type": "flannel", "delegate": delegate})

    def routes(self, place: NodePlace) -> list[str]:
        """The daemon's business."""
        del place
        return []

    def router_routes(self, plan: AddressPlan) -> list[str]:
        """None: packets cross the router only inside of a tunnel."""
        del plan
        return []

    def rules(self, place: NodePlace) -> list[Rule]:
        """The daemon's business."""
        del place
        return []

    def daemon(self, place: NodePlace) -> NetworkDaemon:
        """On every node."""
        config = place.folder / "flannel.json"
        flags = {"kubeconfig": place.kubeconfig, "net-conf": config, "node": place.node.name, "iface": "eth0"}
        command = [str(program_path("flannel", "flannel")), *(f"--{flag}={v}" for flag, v in flags.items())]
        return NetworkDaemon(name="flannel", command=tuple(command), files={config: self._config(place.plan)})

    def manifests(self, plan: AddressPlan) -> list[dict[str, Any]]:
        """None."""
        del plan
        return []

    def _config(self, plan: AddressPlan) -> dict[str, Any]:
        config: dict[str, Any] = {
            "EnableIPv4": 4 in plan.versions,
            "EnableIPv6": 6 in plan.versions,
            "EnableNFTables": self.nftables,
            "Backend": self.backend,
        }
        names = {4: "Network", 6: "IPv6Network"}
        return config | {names[version]: str(plan.pods(version)) for version in plan.versions}


FLANNEL_IPIP = Flannel(name="flannel-ipip", backend={"Type": "ipip"}, link_kind="ipip")
FLANNEL_WIREGUARD = Flannel(name="flannel-wireguard", backend={"Type": "wireguard"}, link_kind="wireguard")
FLANNEL_HOSTGW = Flannel(name="flannel-hostgw", backend={"Type": "host-gw"}, crosses_subnets=False)
FLANNEL_VXLAN = Flannel(name="flannel-vxlan", backend={"Type": "vxlan"})
