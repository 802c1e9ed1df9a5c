"""Calico, with its real programs on every node: it enforces policies, by chains of iptables.

Felix writes routes, rules and ipsets; the CNI plugin makes each pod a veth pair whose end on the node answers ARP for
every address, with addresses in blocks of 64 from `calico-ipam`. `calico-vxlan` wraps packets between nodes in UDP;
in `calico-bgp` (IPv4) they go as they are: bird, configured by Calico's confd, tells all nodes and the router the blocks.
In `calico-ipip` (IPv4) bird tells the nodes alone, and its routes lead into Felix's tunnel.
Felix works with the node's own iptables: nft, or legacy where kube-proxy does.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed import bird
from testbed.addresses import AddressPlan, interface
from testbed.images import program_path
from testbed.modules import custom_resources, module_folder
from testbed.networks.base import NetworkDaemon, NodePlace, Rule, config_list
from testbed.networks.bgp import listener
from testbed.spec import Proxy

FAMILIES = {4: "", 6: "6"}
CONFD, CONTROL = Path("/etc/calico/confd"), "/run/calico/bird.ctl"
AS = 64512


@dataclass(frozen=True, slots=True, kw_only=True)
class Calico:
    """The CNI plugin `calico`, and what its DaemonSet runs."""

    name: str
    backend: str
    """As its manifest's CALICO_NETWORKING_BACKEND."""
    vxlan: str = "Never"
    """Which packets between nodes are wrapped."""
    ipip: str = "Never"
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
            files={
                settings: {"Environment": self._environment(place), "Daemons": self.daemons()},
                **self.more_files(place),
            },
            signs=(place.folder / "var/lib/calico/mtu",),
        )

    def manifests(self, plan: AddressPlan) -> Iterator[dict[str, Any]]:
        """Calico keeps all that it knows in custom resources."""
        del plan
        return custom_resources(_source() / "libcalico-go/config/crd")

    def daemons(self) -> tuple[tuple[str, ...], ...]:
        """What runs on a node: parts of our program, or other programs."""
        return (("tunnels",), ("felix",))

    def more_files(self, place: NodePlace) -> dict[Path, str]:
        """What they read."""
        del place
        return {}

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
        return environment | {"CALICO_IPV4POOL_IPIP": self.ipip}


@dataclass(frozen=True, slots=True, kw_only=True)
class CalicoBgp(Calico):
    """Without a tunnel: every node talks BGP with every other one and with the router, which only listens."""

    def daemons(self) -> tuple[tuple[str, ...], ...]:
        """As in Calico's image."""
        speaker = str(bird.program(package=bird.OLD_PACKAGE))
        return (
            ("felix",),
            ("confd", str(CONFD)),
            (speaker, "-d", "-c", str(CONFD / "config/bird.cfg"), "-s", CONTROL),
        )

    def more_files(self, place: NodePlace) -> dict[Path, str]:
        """The templates of its image, for IPv4, but for two words of Calico's BIRD and its way to tell BIRD of a change."""
        source, target = _source() / "confd/etc/calico/confd", place.folder / CONFD.relative_to("/")
        files = {target / "config/.keep": ""}
        for each in (*source.glob("conf.d/bird[._]*"), *source.glob("templates/bird[._]*")):
            text = each.read_text().replace("sv hup bird", "pkill -HUP -x bird")
            lines = (line for line in text.splitlines() if not re.match("check_cmd|.*krt_tunnel", line))
            files[target / each.relative_to(source)] = "\n".join(lines) + "\n"
        return files

    def manifests(self, plan: AddressPlan) -> Iterator[dict[str, Any]]:
        """Each node has the router of its subnet as a peer."""
        yield from Calico.manifests(self, plan)
        for node in plan.spec.nodes:
            yield {
                "apiVersion": "crd.projectcalico.org/v1",
                "kind": "BGPPeer",
                "metadata": {"name": f"router-of-{node.name}"},
                "spec": {
                    "node": node.name,
                    "peerIP": str(plan.lan(node.subnet, 4)[1]),
                    "asNumber": AS,
                },
            }

    def router_daemon(self, plan: AddressPlan, folder: Path) -> NetworkDaemon:
        """A session with every node."""
        return listener(plan, folder, own=AS, other=AS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalicoIpip(CalicoBgp):
    """Every node talks BGP with every other one, and what one tells leads to it by `tunl0`.

    Calico's own BIRD has an attribute for that, `krt_tunnel`. BIRD 2 has none, but it looks for the way to a speaker
    in a table of our choice: the one with a route by the tunnel to each node. What comes out in the kernel is the same.
    """

    def daemons(self) -> tuple[tuple[str, ...], ...]:
        """As in Calico's image, with the newer BIRD."""
        speaker = str(bird.program())
        return (
            ("tunnels",),
            ("felix",),
            ("confd", str(CONFD)),
            (speaker, "-d", "-c", str(CONFD / "config/bird.cfg"), "-s", CONTROL),
        )

    def more_files(self, place: NodePlace) -> dict[Path, str]:
        """The templates of its image, in the language of BIRD 2."""
        files = CalicoBgp.more_files(self, place)
        return {
            path: _for_bird_2(text) if "templates" in path.parts else text for path, text in files.items()
        }

    def manifests(self, plan: AddressPlan) -> Iterator[dict[str, Any]]:
        """The nodes are each other's only peers: the router listens in vain."""
        return Calico.manifests(self, plan)


TUNNELS = """
ipv4 table tunnels;
protocol static {
  ipv4 { table tunnels; };
{{- range lsdir "/bgp/v1/host"}}{{$peer := getv (printf "/bgp/v1/host/%s/ip_addr_v4" .)}}{{if ne $peer $node_ip}}
  route {{$peer}}/32 via {{$peer}}%tunl0 onlink;
{{- end}}{{end}}
}
"""
BIRD_2 = (
    (r"^protocol (static|direct) \{", r"protocol \1 {\n  ipv4;"),
    (r"^  import all; *\n  export filter (\w+);.*", r"  ipv4 { import all; export filter \1; };"),
    (r"^  import (all;|filter \{)", r"  ipv4 { import \1"),
    (r"^  \};(  # Only want to export routes)", r"  }; };\1"),
    (
        r"^  gateway recursive;.*\n  add paths on;",
        "  ipv4 { gateway recursive; igp table tunnels; add paths on; };",
    ),
    (r"^(# Configure synchronization)", TUNNELS.replace("\\", r"\\") + r"\1"),
)
"""What is said otherwise there."""


def _for_bird_2(template: str) -> str:
    for pattern, text in BIRD_2:
        template = re.sub(pattern, text, template, flags=re.MULTILINE)
    return template


def _source() -> Path:
    return module_folder("calico", "github.com/projectcalico/calico")


CALICO_VXLAN = Calico(name="calico-vxlan", backend="vxlan", vxlan="Always")
CALICO_BGP = CalicoBgp(name="calico-bgp", backend="bird")
CALICO_IPIP = CalicoIpip(name="calico-ipip", backend="bird", ipip="Always", link_kind="ipip")
