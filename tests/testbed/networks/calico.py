"""Calico, with its real programs on every node: it enforces policies, by chains of iptables.

Felix writes routes, rules and ipsets; the CNI plugin makes each pod a veth pair whose end on the node answers ARP for
every address, with addresses in blocks of 64 from `calico-ipam`. `calico-vxlan` wraps packets between nodes in UDP.
Felix works with the node's own iptables: nft, or legacy where kube-proxy does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from testbed.addresses import AddressPlan, interface
from testbed.images import program_path
from testbed.modules import custom_resources, module_folder
from testbed.networks.base import NetworkDaemon, NodePlace, Rule, config_list
from testbed.spec import Proxy

FAMILIES = {4: "", 6: "6"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Calico:
    """The CNI plugin `calico`, and what its DaemonSet runs."""

    name: str
    backend: str
    """As its manifest's CALICO_NETWORKING_BACKEND."""
    vxlan: str
    """Which packets between nodes are wrapped."""
    daemons: tuple[tuple[str, ...], ...]
    """What runs on a node: parts of our program."""
    crosses_subnets: bool = True
    link_kind: str | None = None
    program_sets: tuple[str, ...] = ("calico",)

    def cni_config(self, place: NodePlace) -> dict[str, Any]:
        """As in Calico's own manifest."""
        ipam = {"type": "calico-ipam"} | {
            f"assign_ipv{version}": str(version in place.plan.versions).lower() for version in (4, 6)
        }
        calico = {
            "type": "calico",
            "log_level": "info",
            "datastore_type": "kubernetes",
            "nodename": place.node.name,
            "mtu": 0,
            "ipam": ipam,
            "policy": {"type": "k8s"},
            "kubernetes": {"kubeconfig": str(place.kubeconfig)},
        }
        return config_list("k8s-pod-network", calico)

    def routes(self, place: NodePlace) -> list[str]:
        """Felix's business."""
        del place
        return []

    def router_routes(self, plan: AddressPlan) -> list[str]:
        """None: packets cross the router only inside of a tunnel."""
        del plan
        return []

    def rules(self, place: NodePlace) -> list[Rule]:
        """Felix's business."""
        del place
        return []

    def daemon(self, place: NodePlace) -> NetworkDaemon:
        """On every node: the start-up routine, then all that is to run."""
        settings = place.folder / "calico.json"
        return NetworkDaemon(
            name="calico",
            command=(str(program_path("calico", "calico")), "node", str(settings)),
            files={settings: {"Environment": self._environment(place), "Daemons": self.daemons}},
            signs=(place.folder / "var/lib/calico/mtu",),
        )

    def manifests(self, plan: AddressPlan) -> Iterator[dict[str, Any]]:
        """Calico keeps all that it knows in custom resources."""
        del plan
        return custom_resources(
            module_folder("calico", "github.com/projectcalico/calico") / "libcalico-go/config/crd"
        )

    def _environment(self, place: NodePlace) -> dict[str, str]:
        """The variables of the manifest's container, with the pools that the start-up routine makes."""
        plan, legacy = place.plan, place.plan.spec.proxy_of(place.node.name) is Proxy.IPTABLES_LEGACY
        environment = {
            "NODENAME": place.node.name,
            "KUBECONFIG": str(place.kubeconfig),
            "DATASTORE_TYPE": "kubernetes",
            "WAIT_FOR_DATASTORE": "true",
            "CLUSTER_TYPE": "k8s",
            "CALICO_NETWORKING_BACKEND": self.backend,
            "CALICO_DISABLE_FILE_LOGGING": "true",
            "FELIX_DATASTORETYPE": "kubernetes",
            "FELIX_FELIXHOSTNAME": place.node.name,
            "FELIX_IPTABLESBACKEND": "Legacy" if legacy else "NFT",
            "FELIX_IPV6SUPPORT": str(6 in plan.versions).lower(),
            "FELIX_DEFAULTENDPOINTTOHOSTACTION": "ACCEPT",
            "FELIX_BPFENABLED": "false",
            "FELIX_XDPENABLED": "false",
            "FELIX_USAGEREPORTINGENABLED": "false",
            "FELIX_LOGFILEPATH": "none",
            "FELIX_LOGSEVERITYSYS": "none",
            "FELIX_LOGSEVERITYSCREEN": "info",
        }
        for version, suffix in FAMILIES.items():
            there = version in plan.versions
            network = plan.lan(place.node.subnet, version)
            environment[f"IP{suffix}"] = (
                interface(plan.node(place.node, version), network) if there else "none"
            )
            if there:
                pool = f"CALICO_IPV{version}POOL"
                environment |= {
                    f"{pool}_CIDR": str(plan.pods(version)),
                    f"{pool}_VXLAN": self.vxlan,
                    f"{pool}_NAT_OUTGOING": "true",
                }
        return environment | {"CALICO_IPV4POOL_IPIP": "Never"}


CALICO_VXLAN = Calico(
    name="calico-vxlan", backend="vxlan", vxlan="Always", daemons=(("tunnels",), ("felix",))
)
