"""Two nodes with a pod each, wired like flannel: real traffic between the pods, and its walk over both nodes."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address

from kernel.lab import Lab, LabNode, lab, question

from kubectl_packetpath.snapshot import PodReference
from kubectl_packetpath.trace import Budget, Path, Trace
from kubectl_packetpath.walk.budget import budget
from kubectl_packetpath.walk.cluster import Cluster, Place, PlaceKind, Query, trace
from kubectl_packetpath.walk.underlay import Underlay

NODES = ("a", "b")
UNDERLAY = {"a": "192.168.7.1", "b": "192.168.7.2"}
UNDERLAY6 = {"a": "fd07::1", "b": "fd07::2"}
PODS = {"a": "10.244.1.2", "b": "10.244.2.2"}
PORT = 8080


def other(node: str) -> str:
    """The node at the other end."""
    return "b" if node == "a" else "a"


def places(tunnel: str) -> tuple[str, ...]:
    """Where a packet from the pod on a to the pod on b comes in, all along its way."""
    return ("host-a/veth0", "host-b/eth0", f"host-b/{tunnel}", "pod-b/eth0")


@dataclass(slots=True, kw_only=True)
class Nodes:
    """The lab and what is known of the network between its nodes."""

    lab: Lab

    def host(self, node: str, *lines: str) -> None:
        """Run `ip` commands on a node."""
        self.lab[f"host-{node}"].ip(*lines)

    def trace(
        self, target: str = PODS["b"], protocol: str = "tcp", port: int = PORT, size: int = 60
    ) -> Trace:
        """What the walk says of a packet from the pod on a."""
        with self.cluster() as cluster:
            return trace(asked(target, protocol, port, size), cluster)

    def budget(self, target: str = PODS["b"], protocol: str = "udp") -> Budget:
        """How long such a packet may be."""
        with self.cluster() as cluster:
            return budget(asked(target, protocol, PORT, 60), cluster)

    def path(self, target: str = PODS["b"], protocol: str = "tcp") -> Path:
        """The only path."""
        (path,) = self.trace(target, protocol).paths
        return path

    @contextmanager
    def cluster(self) -> Iterator[Cluster]:
        """The state of both nodes, read anew."""
        with ExitStack() as stack:
            nodes = {}
            for name in NODES:
                parts = {short: self.lab[short] for short in (f"host-{name}", f"pod-{name}")}
                nodes[name] = LabNode(name, parts)
                stack.callback(nodes[name].close)
            owners = {
                ip_address(each): name for table in (UNDERLAY, UNDERLAY6) for name, each in table.items()
            }
            yield Cluster(nodes=nodes, underlay=Underlay(nodes=owners))


def asked(target: str, protocol: str, port: int, size: int) -> Query:
    """A packet from the pod on a."""
    place = Place(kind=PlaceKind.POD, node="a", pod=PodReference(namespace="lab", name="pod-a"))
    return Query(title="", place=place, packet=replace(question(target, port, protocol), size_bytes=size))


@contextmanager
def nodes(name: str) -> Iterator[Nodes]:
    """Two nodes on one wire, each with a pod behind a veth and a route to it."""
    with lab(name) as made:
        made.add("host-a", "pod-a", "host-b", "pod-b")
        made.connect(("host-a", "eth0"), ("host-b", "eth0"))
        for node in NODES:
            host, pod = f"host-{node}", f"pod-{node}"
            number = int(PODS[node].split(".")[2])
            made.connect((host, "veth0"), (pod, "eth0"))
            made[host].ip(
                f"addr add {UNDERLAY[node]}/24 dev eth0",
                f"addr add {UNDERLAY6[node]}/64 dev eth0 nodad",
                f"addr add 10.244.{number}.1/24 dev veth0",
                f"addr add fd24:{number}::1/64 dev veth0 nodad",
            )
            made[pod].ip(
                f"addr add {PODS[node]}/24 dev eth0",
                f"addr add fd24:{number}::2/64 dev eth0 nodad",
                f"route add default via 10.244.{number}.1",
                f"route add ::/0 via fd24:{number}::1",
            )
            made[host].sysctls({"net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1})
        made.serve("pod-b", f"tcp:{PORT}", f"udp:{PORT}")
        yield Nodes(lab=made)
