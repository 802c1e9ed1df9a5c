"""The wires of a cluster: switches, the router, the network outside, and each node's interface.

    client ── outside ── router ──┬── lan1 ── control plane, node1, node2
                                  └── lan2 ── node3
The switches are bridges in one namespace of their own. All devices but one live in the cluster's namespaces; the one
is the machine's end of the link over which `kubectl` reaches the API server.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network, ip_interface

from testbed.addresses import AddressPlan, Network, interface
from testbed.cgroups import PREFIX
from testbed.netns import Namespace, batch, succeed
from testbed.spec import NodeSpec

WIRE, ROUTER, CONTROL, OUTSIDE = "wire", "router", "control", "outside"
KUBECTL_LINKS = IPv4Network("100.127.0.0/18")
"""Where the links for kubectl take their addresses from: shared address space, which no one routes."""

QUIET_IPV6 = {
    f"net/ipv6/conf/{scope}/{name}": 0 for scope in ("all", "default") for name in ("accept_dad", "accept_ra")
}
"""Addresses are usable at once: nobody else can have them."""
FORWARDING = {"net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1}
NO_IPV6 = {f"net/ipv6/conf/{scope}/disable_ipv6": 1 for scope in ("all", "default")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Everything between the programs of a cluster."""

    plan: AddressPlan

    def namespace(self, role: str) -> Namespace:
        """The namespace of a node, or of one of the roles above."""
        return Namespace(name=f"{PREFIX}{self.plan.spec.name}-{role}")

    @property
    def kubectl_interface(self) -> str:
        """The one device in the machine's own namespace."""
        return f"{PREFIX}{self.plan.spec.name}"

    def create(self, kubectl_link: IPv4Network) -> None:
        """Lay all wires."""
        self._create_switches()
        self._create_router()
        self._attach(self.namespace(CONTROL), "lan1", self.plan_control())
        self._attach(self.namespace(OUTSIDE), "outside", self.plan_client())
        self._link_to_machine(kubectl_link)
        for node in self.plan.spec.nodes:
            self._attach(self.namespace(node.name), f"lan{node.subnet}", self.plan_node(node))
            self.namespace(node.name).sysctls(FORWARDING)

    def plan_control(self) -> list[tuple[str, Network]]:
        """The control plane's addresses, and their networks."""
        return [(str(self.plan.control(v)), self.plan.lan(1, v)) for v in self.plan.versions]

    def plan_client(self) -> list[tuple[str, Network]]:
        """The outside client's addresses, and their networks."""
        return [(str(self.plan.client(v)), self.plan.outside(v)) for v in self.plan.versions]

    def plan_node(self, node: NodeSpec) -> list[tuple[str, Network]]:
        """A node's addresses, and their networks."""
        return [(str(self.plan.node(node, v)), self.plan.lan(node.subnet, v)) for v in self.plan.versions]

    def _create_switches(self) -> None:
        wire = self.namespace(WIRE)
        wire.create()
        wire.sysctls(NO_IPV6)
        names = [*(f"lan{subnet}" for subnet in self.plan.spec.subnets), "outside"]
        wire.ip(
            *(f"link add {name} type bridge forward_delay 0 stp_state 0 mcast_snooping 0" for name in names),
            *(f"link set {name} up" for name in names),
        )
        bridges = ("iptables", "ip6tables", "arptables")
        wire.sysctls({f"net/bridge/bridge-nf-call-{name}": 0 for name in bridges})

    def _create_router(self) -> None:
        router = self.namespace(ROUTER)
        router.create()
        router.sysctls(QUIET_IPV6 | FORWARDING)
        for subnet in self.plan.spec.subnets:
            name = f"lan{subnet}"
            self._plug(router, name, name, [interface(net[1], net) for net in self._networks_of_lan(subnet)])
        outside = [self.plan.outside(version) for version in self.plan.versions]
        self._plug(router, "outside", "outside", [interface(net[1], net) for net in outside])

    def _networks_of_lan(self, subnet: int) -> list[Network]:
        return [self.plan.lan(subnet, version) for version in self.plan.versions]

    def _attach(self, namespace: Namespace, switch: str, addresses: list[tuple[str, Network]]) -> None:
        """Make a namespace with one interface on a switch, and the router as its way to everything else."""
        namespace.create()
        namespace.sysctls(QUIET_IPV6)
        self._plug(
            namespace, "eth0", switch, [f"{address}/{network.prefixlen}" for address, network in addresses]
        )
        namespace.ip(*(f"route add default via {network[1]}" for _, network in addresses))

    def _plug(self, namespace: Namespace, device: str, switch: str, addresses: list[str]) -> None:
        """One cable: a veth pair between a namespace and a switch."""
        wire = self.namespace(WIRE)
        role = namespace.name.removeprefix(self.namespace("").name)
        port = {ROUTER: f"{ROUTER}.{switch}", OUTSIDE: "client"}.get(role, role)
        wire.ip(
            f"link add {port} type veth peer name {device} netns {namespace.name}",
            f"link set {port} master {switch} up",
        )
        nodad = {4: "", 6: " nodad"}
        namespace.ip(
            f"link set {device} up",
            *(
                f"addr add {address} dev {device}{nodad[ip_interface(address).version]}"
                for address in addresses
            ),
        )

    def _link_to_machine(self, link: IPv4Network) -> None:
        control = self.namespace(CONTROL)
        batch(
            None,
            [
                f"link add {self.kubectl_interface} type veth peer name kubectl netns {control.name}",
                f"addr add {link[1]}/30 dev {self.kubectl_interface}",
                f"link set {self.kubectl_interface} up",
            ],
        )
        control.ip(f"addr add {link[2]}/30 dev kubectl", "link set kubectl up")


def free_kubectl_link() -> IPv4Network:
    """A small network that no device of this machine has an address in."""
    taken = [
        ip_interface(word).network
        for word in succeed(["ip", "-4", "-o", "addr"]).split()
        if _is_interface(word)
    ]
    for link in KUBECTL_LINKS.subnets(new_prefix=30):
        if not any(link.overlaps(network) for network in taken if network.version == 4):
            return link
    raise RuntimeError("No address is left for the link to the API server.")


def _is_interface(word: str) -> bool:
    return word.count(".") == 3 and "/" in word
