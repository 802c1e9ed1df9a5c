"""Which addresses everything in a cluster has.

All of it lives in namespaces of the cluster's own, so every cluster has the same addresses; only the link over which
`kubectl` reaches the API server ends in the machine's own namespace, and has addresses that differ.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from testbed.spec import ClusterSpec, NodeSpec

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

ROUTER_HOST = 1
CONTROL_HOST = 2
CLIENT_HOST = 2
FIRST_NODE_HOST = 11
DNS_HOST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPlan:
    """All addresses that follow from a description."""

    spec: ClusterSpec

    @property
    def versions(self) -> tuple[int, ...]:
        """The IP versions in use, the primary one first."""
        return self.spec.family.versions

    def lan(self, subnet: int, version: int) -> Network:
        """A subnet of nodes."""
        return ip_network(f"172.30.{subnet}.0/24" if version == 4 else f"fd00:30:{subnet}::/64")

    def outside(self, version: int) -> Network:
        """The network where clients are that are not part of the cluster."""
        return ip_network("198.51.100.0/24" if version == 4 else "2001:db8:100::/64")

    def vips(self, version: int) -> Network:
        """Addresses for load balancers; the router sends them to nodes only when told to."""
        return ip_network("203.0.113.0/24" if version == 4 else "2001:db8:200::/64")

    def services(self, version: int) -> Network:
        """The addresses of Services."""
        return ip_network("10.96.0.0/16" if version == 4 else "fd00:10:96::/112")

    def pods(self, version: int) -> Network:
        """The addresses of all pods."""
        return ip_network("10.244.0.0/16" if version == 4 else "fd00:10:244::/56")

    def pods_of(self, node: NodeSpec, version: int) -> Network:
        """The addresses of one node's pods."""
        index = self.index(node)
        return ip_network(f"10.244.{index}.0/24" if version == 4 else f"fd00:10:244:{index}::/64")

    def node(self, node: NodeSpec, version: int) -> Address:
        """A node's own address."""
        return self.lan(node.subnet, version)[FIRST_NODE_HOST + self.index(node)]

    def control(self, version: int) -> Address:
        """The address at which nodes find the API server."""
        return self.lan(1, version)[CONTROL_HOST]

    def api_service(self, version: int) -> Address:
        """The ClusterIP of the Service `kubernetes`."""
        return self.services(version)[1]

    def dns_service(self, version: int) -> Address:
        """The ClusterIP of cluster DNS."""
        return self.services(version)[DNS_HOST]

    def client(self, version: int) -> Address:
        """The client outside of the cluster."""
        return self.outside(version)[CLIENT_HOST]

    def index(self, node: NodeSpec) -> int:
        """A node's place in the description."""
        return self.spec.nodes.index(node)

    @property
    def api_url(self) -> str:
        """How nodes reach the API server."""
        return f"https://{bracketed(self.control(self.versions[0]))}:6443"


def bracketed(address: Address) -> str:
    """An address as URLs and host:port pairs want it."""
    return f"[{address}]" if address.version == 6 else str(address)


def interface(address: Address, network: Network) -> str:
    """An address with the length of its network's prefix."""
    return f"{address}/{network.prefixlen}"
