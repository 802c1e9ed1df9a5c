"""A veth pair for each pod, and routes between nodes learned over BGP: bird runs on every node and on the router.

Each node announces its own pods' networks to the router of its subnet, which tells all others: what is on the same
subnet goes straight there, what is on another one goes by the router. Packets keep the pods' addresses all along, as
with Calico without encapsulation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed import bird
from testbed.addresses import Address, AddressPlan
from testbed.networks.base import (
    NetworkDaemon,
    NodePlace,
    Rule,
    config_list,
    host_local,
    masquerade_outside,
)

ROUTER_AS = 64512
FIRST_NODE_AS = 64513
HEAD = """log stderr all;
router id {id};
protocol device {{ scan time 2; }}
"""
KERNEL = """protocol kernel kernel{v} {{ ipv{v} {{ import none; export where source = RTS_BGP; }}; }}
"""
PODS = """protocol static pods{v} {{ ipv{v}; route {network} blackhole; }}
"""
DIRECT = """protocol direct { ipv4; }
"""
"""A speaker of the same AS is reached by a next hop, which has to be known."""
SESSION = """protocol bgp {name} {{
  local {here} as {own};
  neighbor {there} as {other};
  connect delay time 1; connect retry time 1; error wait time 1, 2; hold time 9;
  ipv{v} {{ import all; export {export}; }};
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bgp:
    """The CNI plugin `ptp`, and bird for the ways between nodes."""

    name: str = "bgp"
    program_sets: tuple[str, ...] = ()
    crosses_subnets: bool = True
    link_kind: str | None = None

    def cni_config(self, place: NodePlace) -> dict[str, Any]:
        """One veth pair per pod."""
        return config_list(
            self.name, {"type": "ptp", "ipMasq": False, "mtu": 1500, "ipam": host_local(place)}
        )

    def routes(self, place: NodePlace) -> list[str]:
        """The daemon's business."""
        del place
        return []

    def router_routes(self, plan: AddressPlan) -> list[str]:
        """The daemon's business, there too."""
        del plan
        return []

    def rules(self, place: NodePlace) -> list[Rule]:
        """Only what leaves the cluster is masqueraded."""
        return masquerade_outside(place)

    def manifests(self, plan: AddressPlan) -> list[Mapping[str, Any]]:
        """No objects."""
        del plan
        return []

    def daemon(self, place: NodePlace) -> NetworkDaemon:
        """One session in each IP version, with the router of the node's subnet."""
        plan, node = place.plan, place.node
        text = HEAD.format(id=_identity(plan, node.subnet, plan.index(node) + 1))
        for v in plan.versions:
            text += KERNEL.format(v=v) + PODS.format(v=v, network=plan.pods_of(node, v))
            text += SESSION.format(
                name=f"router{v}",
                here=plan.node(node, v),
                own=FIRST_NODE_AS + plan.index(node),
                there=plan.lan(node.subnet, v)[1],
                other=ROUTER_AS,
                v=v,
                export=f'where proto = "pods{v}"',
            )
        return _daemon(place.folder, text)

    def router_daemon(self, plan: AddressPlan, folder: Path) -> NetworkDaemon:
        """A session with every node."""
        text = HEAD.format(id=_identity(plan, 1, 0))
        for v in plan.versions:
            text += KERNEL.format(v=v)
            for node in plan.spec.nodes:
                text += SESSION.format(
                    name=f"{node.name}_{v}",
                    here=plan.lan(node.subnet, v)[1],
                    own=ROUTER_AS,
                    there=plan.node(node, v),
                    other=FIRST_NODE_AS + plan.index(node),
                    v=v,
                    export="all",
                )
        return _daemon(folder, text)


def listener(plan: AddressPlan, folder: Path, own: int, other: int) -> NetworkDaemon:
    """A router that hears from every node where pods are (IPv4), and tells nobody."""
    text = HEAD.format(id=_identity(plan, 1, 0)) + KERNEL.format(v=4) + DIRECT
    for node in plan.spec.nodes:
        here, there = plan.lan(node.subnet, 4)[1], plan.node(node, 4)
        text += SESSION.format(
            name=node.name, here=here, own=own, there=there, other=other, v=4, export="none"
        )
    return _daemon(folder, text)


def _identity(plan: AddressPlan, subnet: int, host: int) -> Address:
    """An IPv4 address that no other speaker has, whatever the cluster's IP versions."""
    return plan.lan(subnet, 4)[10 + host]


def _daemon(folder: Path, text: str) -> NetworkDaemon:
    config, control = folder / "bird.conf", folder / "bird.ctl"
    command = (str(bird.program()), "-f", "-c", str(config), "-s", str(control))
    return NetworkDaemon(name="bird", command=command, files={config: text})
