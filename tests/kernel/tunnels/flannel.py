"""What flanneld sets up on a node for VXLAN, by hand."""

from kernel.tunnels.nodes import PODS, UNDERLAY, Nodes, other, places

from testbed.netns import succeed

MACS = {"a": "02:11:00:00:00:0a", "b": "02:11:00:00:00:0b"}
GATEWAYS = {"a": "10.244.1.0", "b": "10.244.2.0"}
PLACES = places("flannel.1")


def flannel(made: Nodes, node: str, options: str = "dstport 8472 nolearning") -> None:
    """What flanneld sets up on a node."""
    there = other(node)
    made.host(
        node,
        f"link add flannel.1 address {MACS[node]} type vxlan id 1 local {UNDERLAY[node]} dev eth0 {options}",
        f"addr add {GATEWAYS[node]}/32 dev flannel.1",
        "link set flannel.1 up",
        f"route add {GATEWAYS[there]}/24 via {GATEWAYS[there]} dev flannel.1 onlink",
        f"neigh add {GATEWAYS[there]} lladdr {MACS[there]} dev flannel.1 nud permanent",
    )
    fdb(made, node, f"append {MACS[there]} dev flannel.1 dst {UNDERLAY[there]} self permanent")


def fdb(made: Nodes, node: str, words: str) -> None:
    """Run `bridge fdb` on a node."""
    succeed([*made.lab[f"host-{node}"].enter, "bridge", "fdb", *words.split()])


def overlay(made: Nodes, node: str, options: str, *, neighbour: bool = True) -> None:
    """A VXLAN device, the route by it, and on demand the neighbour."""
    number = {"a": "2", "b": "1"}[node]
    there = f"10.244.{number}.0"
    lines = [
        f"link add flannel.1 address {MACS[node]} type vxlan id 1 dstport 8472 {options}",
        f"addr add {PODS[node].removesuffix('2')}0/32 dev flannel.1",
        "link set flannel.1 up",
        f"route add {there}/24 via {there} dev flannel.1 onlink",
        f"route add fd24:{number}::/64 via fd24:{number}:: dev flannel.1 onlink",
    ]
    if neighbour:
        lines += [
            f"neigh add {there} lladdr {MACS[other(node)]} dev flannel.1 nud permanent",
            f"neigh add fd24:{number}:: lladdr {MACS[other(node)]} dev flannel.1 nud permanent",
        ]
    made.host(node, *lines)
