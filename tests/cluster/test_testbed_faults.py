"""Each fault breaks what it says, as a real connection sees it, and mends it again."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from testbed.cluster import Cluster, is_ready
from testbed.control import Place, Pod
from testbed.faults import (
    ChainFlushed,
    ConntrackFull,
    FdbEntryDeleted,
    ForeignRule,
    ForeignTable,
    NeighbourDeleted,
    NftChainFlushed,
    PodUnready,
    ProxyFrozen,
    ProxyKilled,
    RouteAdded,
    RouteDeleted,
    Scaled,
    SysctlSet,
    WrongMtu,
    fault,
    set_gate,
)
from testbed.traffic import Reached, Refused, Result, TimedOut, Unreachable, attempt, connect, pods_reached
from testbed.waiting import wait_until
from testbed.workloads import TCP_PORT, Server

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.bed(nodes=2, network="flannel-vxlan", proxies={"node2": "nftables"}),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A server on node2 behind a Service, and a pod on each node to ask from."""

    cluster: Cluster
    namespace: str
    service: str
    server: Pod
    client: Pod
    """On node1, whose proxy is iptables."""

    def ask(self, place: Place, *, direct: bool = False) -> Result:
        """Connect to the Service, or to its pod."""
        if direct:
            return connect(place, self.server.address(), TCP_PORT, timeout_seconds=1)
        return connect(place, self.service, 80, timeout_seconds=1)


@pytest.fixture
def scene(cluster: Cluster, namespace: str) -> Scene:
    """A new one for each test."""
    kube = cluster.kube
    server = Server(name="server", namespace=namespace, node="node2")
    client = Server(name="client", namespace=namespace, node="node1")
    service = kube.apply(server.pod(), client.pod(), server.service())[2]["spec"]["clusterIP"]
    wait_until(
        "the pods are ready",
        lambda: all(is_ready(kube.get("Pod", n, namespace)) for n in ("server", "client")),
    )
    scene = Scene(
        cluster=cluster,
        namespace=namespace,
        service=service,
        server=cluster.pod(namespace, "server"),
        client=cluster.pod(namespace, "client"),
    )
    for place in cluster.nodes:
        wait_until(f"{place.name} knows the Service", partial(_works, scene, place))
    return scene


def _works(scene: Scene, place: Place) -> bool:
    return isinstance(scene.ask(place), Reached)


def _lost(result: Result) -> bool:
    return not isinstance(result, Reached)


def test_route_deleted(scene: Scene) -> None:
    """Without the route to a node's pods, there is no way to them."""
    node1, node2 = scene.cluster.nodes
    pods_of_node2 = scene.cluster.plan.pods_of(node2.runtime.spec, 4)
    assert isinstance(scene.ask(scene.client, direct=True), Reached)
    with fault(RouteDeleted(place=node1, destination=pods_of_node2)):
        assert _lost(scene.ask(scene.client, direct=True))
    assert isinstance(scene.ask(scene.client, direct=True), Reached)


def test_route_added(scene: Scene) -> None:
    """A blackhole for one pod swallows what goes there."""
    node1, _ = scene.cluster.nodes
    with fault(RouteAdded(place=node1, route=f"blackhole {scene.server.address()}/32")):
        assert _lost(scene.ask(scene.client, direct=True))
    assert isinstance(scene.ask(scene.client, direct=True), Reached)


def test_fdb_entry_deleted(scene: Scene) -> None:
    """A VXLAN device that forgot a node's far end sends nothing there."""
    node1, node2 = scene.cluster.nodes
    with fault(FdbEntryDeleted(node=node1, device="flannel.1", containing=str(node2.address()))):
        assert isinstance(scene.ask(scene.client, direct=True), TimedOut)
    assert isinstance(scene.ask(scene.client, direct=True), Reached)


def test_neighbour_deleted(scene: Scene) -> None:
    """A VXLAN device that forgot a gateway's hardware address finds no neighbour."""
    node1, node2 = scene.cluster.nodes
    gateway = scene.cluster.plan.pods_of(node2.runtime.spec, 4)[0]
    with fault(NeighbourDeleted(place=node1, device="flannel.1", address=gateway)):
        assert _lost(scene.ask(scene.client, direct=True))
    assert isinstance(scene.ask(scene.client, direct=True), Reached)


def test_wrong_mtu(scene: Scene) -> None:
    """A device with another MTU has it for as long as the fault lasts."""
    node1, _ = scene.cluster.nodes
    read = ["cat", "/sys/class/net/flannel.1/mtu"]
    with fault(WrongMtu(place=node1, device="flannel.1", mtu=1300)):
        assert node1.run(read) == "1300\n"
    assert node1.run(read) == "1450\n"


def test_sysctl_set(scene: Scene) -> None:
    """A node that does not forward carries no pod's packets."""
    node1, _ = scene.cluster.nodes
    with fault(SysctlSet(place=node1, name="net/ipv4/ip_forward", value=0)):
        assert isinstance(scene.ask(scene.client, direct=True), TimedOut)
    assert isinstance(scene.ask(scene.client, direct=True), Reached)


def test_chain_flushed(scene: Scene) -> None:
    """Without the rules of KUBE-SERVICES, a ClusterIP is an address like any other."""
    node1, _ = scene.cluster.nodes
    with fault(ProxyFrozen(node=node1), ChainFlushed(node=node1, table="nat", chain="KUBE-SERVICES")):
        assert _lost(scene.ask(scene.client))
    assert isinstance(scene.ask(scene.client), Reached)


def test_nft_chain_flushed(scene: Scene) -> None:
    """Without the rules of the chain `services`, a ClusterIP is an address like any other."""
    _, node2 = scene.cluster.nodes
    with fault(ProxyFrozen(node=node2), NftChainFlushed(node=node2, table="ip kube-proxy", chain="services")):
        assert _lost(scene.ask(node2))
    assert isinstance(scene.ask(node2), Reached)


@pytest.mark.parametrize("program", ["", "iptables-legacy"])
def test_foreign_rule(scene: Scene, program: str) -> None:
    """A DROP in FORWARD, of whichever iptables, swallows what the node forwards."""
    node1, _ = scene.cluster.nodes
    rule = ForeignRule(
        node=node1, chain="FORWARD", rule=f"-p tcp --dport {TCP_PORT} -j DROP", program=program
    )
    with fault(rule):
        assert isinstance(scene.ask(scene.client), TimedOut)
    assert isinstance(scene.ask(scene.client), Reached)


def test_foreign_table(scene: Scene) -> None:
    """A table of nftables that rejects does so with the ICMP error that it names."""
    node1, _ = scene.cluster.nodes
    with fault(ForeignTable(place=node1, rule=f"tcp dport {TCP_PORT} reject with icmpx admin-prohibited")):
        result = scene.ask(scene.client)
        assert isinstance(result, Unreachable)
        assert result.icmp is not None
        assert (result.icmp.type, result.icmp.code) == (3, 13)
    assert isinstance(scene.ask(scene.client), Reached)


def test_conntrack_full(scene: Scene) -> None:
    """A node whose connection table is full drops new connections."""
    node1, _ = scene.cluster.nodes
    with fault(ConntrackFull(node=node1)):
        assert isinstance(scene.ask(scene.client), TimedOut)
    assert isinstance(scene.ask(scene.client), Reached)


@pytest.mark.parametrize("broken", [ProxyKilled, ProxyFrozen])
def test_proxy_stopped(scene: Scene, broken: Callable[..., ProxyKilled | ProxyFrozen]) -> None:
    """Without its proxy a node goes on with the Services that it knows, and learns of no new ones."""
    node1, node2 = scene.cluster.nodes
    late = Server(name="server", namespace=scene.namespace).service(name="late")
    with fault(broken(node=node1)):
        address = scene.cluster.kube.apply(late)[0]["spec"]["clusterIP"]
        wait_until("node2 knows the Service", lambda: isinstance(connect(node2, address, 80), Reached))
        assert _lost(connect(node1, address, 80, timeout_seconds=0.5))
        assert isinstance(scene.ask(node1), Reached)
    wait_until("node1 knows the Service", lambda: isinstance(connect(node1, address, 80), Reached))


def test_scaled(scene: Scene) -> None:
    """A Service whose Deployment has no pods left refuses connections, until there are pods again."""
    kube, node1 = scene.cluster.kube, scene.cluster.node("node1")
    many = Server(name="many", namespace=scene.namespace)
    address = kube.apply(many.deployment(1), many.service())[1]["spec"]["clusterIP"]
    wait_until("the Service works", lambda: isinstance(connect(node1, address, 80), Reached))
    with fault(Scaled(kube=kube, namespace=scene.namespace, name="many", replicas=0)):
        wait_until("it refuses", lambda: isinstance(connect(node1, address, 80), Refused))
    wait_until("it works again", lambda: isinstance(connect(node1, address, 80), Reached))


def test_pod_unready(scene: Scene) -> None:
    """A pod that is not ready gets no new connections."""
    kube, node1 = scene.cluster.kube, scene.cluster.node("node1")
    kube.apply(*(_gated(scene.namespace, name).pod(labels={"app": "pair"}) for name in ("one", "other")))
    address = kube.apply(Server(name="pair", namespace=scene.namespace).service())[0]["spec"]["clusterIP"]
    for name in ("one", "other"):
        set_gate(kube, scene.namespace, name, open_=True)
    wait_until("both are reached", lambda: _reached(node1, address) == {"one", "other"})
    with fault(PodUnready(kube=kube, namespace=scene.namespace, name="one")):
        wait_until("only the other is reached", lambda: _reached(node1, address) == {"other"})
    wait_until("both are reached again", lambda: _reached(node1, address) == {"one", "other"})


def _gated(namespace: str, name: str) -> Server:
    return Server(name=name, namespace=namespace, gated=True)


def _reached(place: Place, address: str) -> set[str]:
    return set(pods_reached(attempt(place, address, 80, count=30, timeout_seconds=0.5)))
