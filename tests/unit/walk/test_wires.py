"""What is behind devices that others work for the kernel, on nodes that a test wrote down.

Antrea's and OVN-Kubernetes' nodes as `ip link` and `ip route` show them there. Sources: antrea-io/antrea
docs/design/ovs-pipeline.md and pkg/agent/route/route_linux.go; ovn-org/ovn-kubernetes go-controller/pkg/node
(management-port_linux.go, gateway_init.go) and docs/design/shared_gw_mode.md.
"""

from dataclasses import dataclass
from ipaddress import ip_address

import pytest
from unit.walk.states import LO, WrittenNode, WrittenState, device, owned, packet, route

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot import NamespacePeer, PodReference
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.routing import Neighbour
from kubectl_packetpath.trace import StepKind, Verdict
from kubectl_packetpath.walk.explore import NodePath, Originated, ReceivedOn, run

PERMANENT = 0x80
SWITCH = 20
"""The number of ovs-system, to which the ports belong."""


def switched(index: int, name: str, **more: object) -> Link:
    """A port that Open vSwitch itself has made: a device of the host without another end."""
    return device(index, name, kind="openvswitch", **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A node of such a network, with one pod."""

    name: str
    gateway: str
    """The device by which the host speaks with pods."""
    host: WrittenState
    pod: str
    """The address of the pod here."""
    far: str
    """Of one on another node."""
    service: str
    by: str
    """The device by which the host's own packets to a service leave."""

    @property
    def node(self) -> WrittenNode:
        """The host and the pod behind a veth that is a port of the switch."""
        router = self.pod.rpartition(".")[0] + ".1"
        pod = WrittenState(
            identity=2,
            is_host=False,
            pod=PodReference(namespace="shop", name="web-1"),
            peers=(NamespacePeer(nsid=0, identity=1),),
            devices=(LO, device(3, "eth0", kind="veth", link=5, link_netnsid=0)),
            owned=(owned(3, f"{self.pod}/24"),),
            ways=(route(f"local {self.pod}/32 dev 3"), route(f"default via {router} dev 3")),
        )
        return WrittenNode(states=(self.host, pod))

    def walk(self, start: Originated | ReceivedOn) -> NodePath:
        """The only path."""
        (path,) = run(self.node, start)
        return path


def port(name: str) -> Link:
    """The host's end of the pod's veth."""
    return device(5, name, kind="veth", link=3, link_netnsid=0, master=SWITCH)


ANTREA = Network(
    name="antrea",
    gateway="antrea-gw0",
    pod="10.10.0.7",
    far="10.10.1.9",
    service="10.96.0.10",
    by="antrea-gw0",
    host=WrittenState(
        identity=1,
        peers=(NamespacePeer(nsid=0, identity=2),),
        devices=(
            LO,
            device(2, "eth0"),
            port("web-1-f3a1b2"),
            switched(SWITCH, "ovs-system", flags=0x1002),
            device(21, "genev_sys_6081", kind="geneve", master=SWITCH),
            switched(22, "antrea-gw0"),
        ),
        owned=(owned(2, "192.0.2.10/24"), owned(22, "10.10.0.1/24")),
        ways=(
            route("local 192.0.2.10/32 dev 2"),
            route("local 10.10.0.1/32 dev 22"),
            route("192.0.2.0/24 dev 2"),
            route("default via 192.0.2.1 dev 2"),
            route("10.10.0.0/24 dev 22 src 10.10.0.1"),
            route("10.10.1.0/24 via 10.10.1.1 dev 22"),
            route("169.254.0.253/32 dev 22"),
            route("10.96.0.0/12 via 169.254.0.253 dev 22"),
        ),
        known=tuple(
            Neighbour(link=22, address=ip_address(each), mac="aa:bb:cc:dd:ee:ff", state=PERMANENT)
            for each in ("10.10.1.1", "169.254.0.253")
        ),
        settings={f"net/ipv4/conf/{each}/forwarding": "1" for each in ("eth0", "antrea-gw0", "web-1-f3a1b2")},
    ),
)
OVN = Network(
    name="ovn-kubernetes",
    gateway="ovn-k8s-mp0",
    pod="10.128.2.7",
    far="10.129.0.9",
    service="172.30.0.10",
    by="br-ex",
    host=WrittenState(
        identity=1,
        peers=(NamespacePeer(nsid=0, identity=2),),
        devices=(
            LO,
            device(2, "eth0", master=SWITCH),
            port("8f2b32ca084aeb0"),
            switched(SWITCH, "ovs-system", flags=0x1002),
            device(21, "genev_sys_6081", kind="geneve", master=SWITCH, mtu=65000),
            switched(22, "ovn-k8s-mp0", mtu=1400),
            switched(23, "br-ex"),
        ),
        owned=(owned(23, "192.0.2.10/24"), owned(23, "169.254.169.2/29"), owned(22, "10.128.2.2/23")),
        ways=(
            route("local 192.0.2.10/32 dev 23"),
            route("local 169.254.169.2/32 dev 23"),
            route("local 10.128.2.2/32 dev 22"),
            route("192.0.2.0/24 dev 23"),
            route("default via 192.0.2.1 dev 23"),
            route("10.128.2.0/23 dev 22 src 10.128.2.2"),
            route("10.128.0.0/14 via 10.128.2.1 dev 22"),
            route("169.254.169.0/29 dev 23 src 169.254.169.2"),
            route("169.254.169.1/32 dev 23 src 192.0.2.10 mtu 1400"),
            route("169.254.169.3/32 via 10.128.2.1 dev 22"),
            route("172.30.0.0/16 via 169.254.169.4 dev 23 mtu 1400"),
        ),
        known=(
            Neighbour(link=23, address=ip_address("169.254.169.4"), mac="0a:58:a9:fe:a9:04", state=PERMANENT),
            Neighbour(link=22, address=ip_address("10.128.2.1"), mac="0a:58:0a:80:02:01", state=PERMANENT),
        ),
        settings={f"net/ipv4/conf/{each}/forwarding": "1" for each in ("br-ex", "ovn-k8s-mp0")},
    ),
)
NETWORKS = pytest.mark.parametrize("network", [ANTREA, OVN], ids=lambda network: network.name)
FLOWS = "the flows of Open vSwitch decide, which are not modelled"


def asked(destination: str) -> Packet:
    """A packet whose source the kernel chooses."""
    return packet(f"0.0.0.0:40000 {destination}:80")


@NETWORKS
def test_what_a_pod_sends_is_the_switchs(network: Network) -> None:
    """Whoever it is for: the host's stack never sees what comes in by a port of the switch."""
    for target in (network.far, network.service, "198.51.100.1"):
        path = network.walk(Originated(namespace=2, packet=asked(target)))

        assert path.ending.verdict is Verdict.UNKNOWN
        assert path.ending.reason == f"node-a ovs-system: {FLOWS}"
        assert path.weight is None
        assert [hop.namespace for hop in path.hops] == ["shop/web-1", "host"]


@NETWORKS
@pytest.mark.parametrize("pods", ["pod", "far"])
def test_what_the_host_sends_to_a_pod_is_the_switchs(network: Network, pods: str) -> None:
    """Pods here and elsewhere are behind the same device, told with its route."""
    path = network.walk(Originated(namespace=1, packet=asked(getattr(network, pods))))

    assert path.ending.verdict is Verdict.UNKNOWN
    assert path.ending.reason == f"node-a {network.gateway}: {FLOWS}"
    routed = [step.text for step in path.hops[0].steps if step.kind is StepKind.ROUTED]
    assert routed[0].startswith(f"out by {network.gateway}")


@NETWORKS
def test_what_the_host_sends_to_a_service_is_the_switchs(network: Network) -> None:
    """No rule of the kernel translates it: the switch balances it."""
    path = network.walk(Originated(namespace=1, packet=asked(network.service)))

    assert path.ending.verdict is Verdict.UNKNOWN
    assert path.ending.reason == f"node-a {network.by}: {FLOWS}"


def test_what_comes_to_an_uplink_of_the_switch_is_the_switchs() -> None:
    """OVN-Kubernetes gives the node's own device to br-ex: even the node's own packets pass its flows."""
    came = packet("198.51.100.1:40000 192.0.2.10:22")

    path = OVN.walk(ReceivedOn(namespace=1, device="eth0", packet=came))

    assert path.ending.reason == f"node-a ovs-system: {FLOWS}"


def test_what_comes_to_antreas_node_is_its_own() -> None:
    """Antrea leaves the node's device alone: up to the gateway the host's stack decides."""
    told = packet("198.51.100.1:40000 192.0.2.10:22")
    onward = packet(f"198.51.100.1:40000 {ANTREA.pod}:80")

    own = ANTREA.walk(ReceivedOn(namespace=1, device="eth0", packet=told))
    other = ANTREA.walk(ReceivedOn(namespace=1, device="eth0", packet=onward))

    assert own.ending.verdict is Verdict.REFUSED
    assert other.ending.reason == f"node-a antrea-gw0: {FLOWS}"


@pytest.mark.parametrize(
    ("kind", "more"), [("netkit", {}), ("ipvlan", {"mode": "l3"}), ("ipvlan", {"mode": "l3s"})]
)
def test_a_device_of_a_pod_that_passes_no_frames(kind: str, more: dict[str, object]) -> None:
    """Cilium's netkit devices and ipvlan without link addresses: named, not guessed."""
    pod = WrittenState(
        identity=2,
        is_host=False,
        pod=PodReference(namespace="shop", name="web-1"),
        peers=(NamespacePeer(nsid=0, identity=1),),
        devices=(LO, device(3, "eth0", kind=kind, link=2, link_netnsid=0, flags=0x100C3, **more)),
        owned=(owned(3, "10.244.1.10/32"),),
        ways=(route("local 10.244.1.10/32 dev 3"), route("default dev 3")),
    )
    node = WrittenNode(states=(ANTREA.host, pod))

    (path,) = run(node, Originated(namespace=2, packet=asked("10.244.1.11")))

    assert path.ending.verdict is Verdict.UNKNOWN
    assert path.ending.reason == f"node-a {kind} device eth0: not modelled yet"
