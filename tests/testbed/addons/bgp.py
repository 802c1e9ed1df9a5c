"""MetalLB over BGP: bird on the test bed's router takes the speakers' routes, and spreads connections over the nodes.

For clusters whose pod network has no bird on the router of its own.
"""

from ipaddress import ip_network
from itertools import pairwise

from testbed import bird
from testbed.addons.metallb import NAMESPACE
from testbed.addons.parts import Manifest
from testbed.cluster import Cluster
from testbed.component import Component
from testbed.wiring import ROUTER, Wiring

POOL = ip_network("203.0.113.128/28")
"""Addresses of no segment: only routes lead to them."""
POOL_NAME = "routed"
ROUTER_AS, NODES_AS = 64501, 64500
CONFIG = """log stderr all;
router id {router};
protocol device {{ scan time 2; }}
protocol kernel {{ merge paths on; ipv4 {{ import none; export where source = RTS_BGP; }}; }}
protocol bgp {{
  local {router} as {router_as};
  neighbor range {nodes} as {nodes_as};
  passive on; dynamic name "node"; hold time 9;
  ipv4 {{ import all; export none; }};
}}
"""


def install(cluster: Cluster) -> None:
    """A session of each speaker with the router, and a pool that is announced there."""
    nodes = cluster.plan.lan(1, 4)
    router = nodes[1]
    folder = cluster.state.folder
    config, control = folder / "bird-metallb.conf", folder / "bird-metallb.ctl"
    config.write_text(CONFIG.format(router=router, nodes=nodes, router_as=ROUTER_AS, nodes_as=NODES_AS))
    component = Component(
        state=cluster.state,
        place=ROUTER,
        name="bird-metallb",
        prefix=tuple(Wiring(plan=cluster.plan).namespace(ROUTER).enter),
        command=(str(bird.program()), "-f", "-c", str(config), "-s", str(control)),
        environment={},
    )
    component.start()
    cluster.router.run(["sysctl", "-qw", "net.ipv4.fib_multipath_hash_policy=1"])
    cluster.kube.apply(*_objects(str(router)))


def _objects(router: str) -> list[Manifest]:
    meta = {"namespace": NAMESPACE, "name": POOL_NAME}
    peer = {"myASN": NODES_AS, "peerASN": ROUTER_AS, "peerAddress": router, "holdTime": "9s"}
    return [
        {"apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer", "metadata": meta, "spec": peer},
        {
            "apiVersion": "metallb.io/v1beta1",
            "kind": "IPAddressPool",
            "metadata": meta,
            "spec": {"addresses": [str(POOL)], "autoAssign": False, "avoidBuggyIPs": True},
        },
        {
            "apiVersion": "metallb.io/v1beta1",
            "kind": "BGPAdvertisement",
            "metadata": meta,
            "spec": {"ipAddressPools": [POOL_NAME]},
        },
    ]


def next_hops(cluster: Cluster, address: str) -> set[str]:
    """The nodes to which the router's kernel really sends packets for an address."""
    said = cluster.router.run(["ip", "-4", "route", "show", "proto", "bird", "to", "match", address])
    words = said.split()
    hops = {after for word, after in pairwise(words) if word == "via"}
    return {node.name for node in cluster.nodes if str(node.address(4)) in hops}
