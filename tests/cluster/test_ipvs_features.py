"""What Kubernetes offers for Services, in IPVS mode, in the virtual machine: the walk against real connections."""

from fractions import Fraction
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from cluster.ipvs_prediction import World, asked, seen, wait_for_sync, world_of
from cluster.vm_stage import NODES, SPACE, Stage, balanced_stage

from kubectl_packetpath.trace import Verdict
from kubectl_packetpath.walk.cluster import Place, PlaceKind
from testbed.addresses import Address
from testbed.cluster import Cluster
from testbed.control import Node
from testbed.traffic import Reached, connect
from testbed.waiting import wait_until
from testbed.workloads import TCP_PORT, Manifest, Server

pytestmark = [
    pytest.mark.vm,
    pytest.mark.cluster,
    pytest.mark.bed(nodes=2, proxy="ipvs", network="flannel-wireguard", family="dual"),
]
HTTP = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": TCP_PORT}]
ALLOWED, FORBIDDEN, EXTERNAL = (ip_address(f"192.0.2.{n}") for n in (101, 102, 103))
ON_NODE1 = {"node": "node1"}
WORLDS: dict[str, World] = {}
CERTAIN = Fraction(1)


@pytest.fixture
def world(cluster: Cluster) -> World:
    """A Service for each feature, in front of the servers, and what both kernels hold once they know them."""
    if cluster.spec.name not in WORLDS:
        WORLDS[cluster.spec.name] = _made(balanced_stage(cluster))
    return WORLDS[cluster.spec.name]


def _made(stage: Stage) -> World:
    cluster = stage.cluster
    cluster.kube.apply(_unready(), _by_host(), *_services(stage))
    for name, address in (("allowed", ALLOWED), ("forbidden", FORBIDDEN)):
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": SPACE}}
        status = {"loadBalancer": {"ingress": [{"ip": str(address), "ipMode": "VIP"}]}}
        cluster.kube.patch(service | {"status": status}, subresource="status")
    cluster.kube.apply(_slice(stage.pods["node2"].address()))
    for name in ("host", "anyway"):
        wait_until(f"{name} has an endpoint", partial(_has_endpoint, cluster, name))
    _settle(stage)
    host = cluster.node("node2")
    unready = cluster.pod(SPACE, "unready")
    return world_of(stage, {host.address(): _name_of(stage, "host"), unready.address(): "unready"})


def _name_of(stage: Stage, service: str) -> str:
    """What the only server of a Service calls itself."""
    result = connect(stage.cluster.node("node1"), _address(stage, service), 80)
    assert isinstance(result, Reached), result
    return str(result.pod)


def _settle(stage: Stage) -> None:
    """Until every node's proxy has taken in all that was made before."""
    kube = stage.cluster.kube
    canary = Server(name="everyone", namespace=SPACE).service(name="canary", ports=HTTP)
    kube.delete(canary)
    kube.apply(canary)
    address = _address(stage, "canary")
    for node in stage.cluster.nodes:
        wait_until(f"{node.name} knows the newest Service", partial(_reaches, node, address))
        wait_for_sync(node)


def _reaches(node: Node, address: Address) -> bool:
    return isinstance(connect(node, address, 80, timeout_seconds=0.5), Reached)


def _has_endpoint(cluster: Cluster, service: str) -> bool:
    label = f"kubernetes.io/service-name={service}"
    slices = cluster.kube.list("EndpointSlice", SPACE, api="discovery.k8s.io/v1", labels=label)
    found = [each for part in slices for each in part.get("endpoints") or []]
    return any(each["conditions"].get("ready") for each in found)


def _unready() -> Manifest:
    return Server(name="unready", namespace=SPACE, node="node2", gated=True).pod()


def _by_host() -> Manifest:
    pod = Server(name="by-host", namespace=SPACE, node="node2", host_network=True).pod()
    pod["spec"]["containers"][0]["args"] = ["netexec", "--http-port=18080", "--udp-port=18081"]
    pod["spec"]["containers"][0]["readinessProbe"]["httpGet"]["port"] = 18080
    return pod


def _services(stage: Stage) -> list[Manifest]:
    make = partial(Server(name="everyone", namespace=SPACE).service, ports=HTTP)
    client = f"{stage.cluster.plan.client(4)}/32"
    manual = make(name="manual")
    del manual["spec"]["selector"]
    host = [{**HTTP[0], "targetPort": 18080}]
    unready = {"app": "unready"}
    return [
        make(name="local", type="LoadBalancer", selector=ON_NODE1, externalTrafficPolicy="Local"),
        make(name="inside", selector=ON_NODE1, internalTrafficPolicy="Local"),
        make(name="sticky", sessionAffinity="ClientIP"),
        make(name="allowed", type="LoadBalancer", loadBalancerSourceRanges=[client]),
        make(name="forbidden", type="LoadBalancer", loadBalancerSourceRanges=["203.0.113.0/24"]),
        make(name="external", externalIPs=[str(EXTERNAL)]),
        make(name="host", selector={"app": "by-host"}, ports=host),
        make(name="unready", selector=unready),
        make(name="anyway", selector=unready, publishNotReadyAddresses=True),
        manual,
    ]


def _slice(address: Address) -> Manifest:
    """Endpoints written by hand: the server of node2."""
    labels = {"kubernetes.io/service-name": "manual"}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "manual-1", "namespace": SPACE, "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": TCP_PORT, "protocol": "TCP"}],
        "endpoints": [{"addresses": [str(address)]}],
    }


def _spec(stage: Stage, service: str) -> dict[str, Any]:
    spec: dict[str, Any] = stage.cluster.kube.get("Service", service, SPACE)["spec"]
    return spec


def _address(stage: Stage, service: str) -> Address:
    return ip_address(_spec(stage, service)["clusterIP"])


def from_outside(world: World, node: str, address: Address, port: int) -> dict[Any, Any]:
    """What is said of the client outside that comes by this node."""
    cluster = world.stage.cluster
    place = Place(kind=PlaceKind.OUTSIDE, node=node, addresses=(cluster.node(node).address(),))
    return world.said(place, asked(address, port, source=cluster.plan.client(4)))


@pytest.mark.parametrize("node", NODES)
def test_external_traffic_policy_local(world: World, node: str) -> None:
    """Only the node with the endpoint answers on the node port, and the server sees the client itself."""
    stage = world.stage
    address, port = stage.cluster.node(node).address(), int(_spec(stage, "local")["ports"][0]["nodePort"])
    expected = from_outside(world, node, address, port)
    assert expected == seen(stage.cluster.outside, address, port, count=4)
    if node == "node1":
        assert expected == {("reached", "on-node1", str(stage.cluster.plan.client(4))): CERTAIN}


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize(
    "service", ["inside", "manual", "external", "host", "unready", "anyway", "allowed", "forbidden"]
)
def test_pod_to_cluster_ip(world: World, node: str, service: str) -> None:
    """Who takes what a pod sends to the ClusterIP: one of this node only, one written by hand, one that is not ready."""
    address, client = _address(world.stage, service), world.stage.pods[node]
    expected = world.said(world.from_pod(node), asked(address, 80))
    assert expected == seen(client, address, 80, count=4)


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("address", [ALLOWED, FORBIDDEN, EXTERNAL])
def test_outside_to_a_virtual_address(world: World, node: str, address: Address) -> None:
    """A load balancer's address, which not everybody may use, and an external one."""
    cluster = world.stage.cluster
    cluster.route_from_outside(ip_network(f"{address}/32"), cluster.node(node))
    expected = from_outside(world, node, address, 80)
    assert expected == seen(cluster.outside, address, 80, count=4)
    assert {end[0] for end in expected} == {"lost" if address == FORBIDDEN else "reached"}


@pytest.mark.parametrize("node", NODES)
def test_node_port_on_localhost(world: World, node: str) -> None:
    """IPVS has no node ports on the loopback device."""
    address, port = ip_address("127.0.0.1"), world.stage.node_ports["http"]
    expected = world.said(Place(kind=PlaceKind.HOST, node=node), asked(address, port))
    assert expected == seen(world.stage.cluster.node(node), address, port, count=2)


@pytest.mark.parametrize("node", NODES)
def test_health_check_port(world: World, node: str) -> None:
    """kube-proxy answers on the Service's health check port of each node."""
    cluster = world.stage.cluster
    address, port = cluster.node(node).address(), int(_spec(world.stage, "local")["healthCheckNodePort"])
    packet = asked(address, port, source=cluster.plan.client(4))
    assert world.verdicts(Place(kind=PlaceKind.OUTSIDE, node=node), packet) == {Verdict.DELIVERED}
    curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{address}:{port}/healthz"]
    assert cluster.outside.run(curl) == ("200" if node == "node1" else "503")


@pytest.mark.parametrize("node", NODES)
def test_session_affinity(world: World, node: str) -> None:
    """A client that has been served stays with its endpoint while the persistence template lives."""
    address, client = _address(world.stage, "sticky"), world.stage.pods[node]
    assert isinstance(connect(client, address, 80), Reached)
    now = world_of(world.stage)
    expected = now.said(now.from_pod(node), asked(address, 80))
    assert expected == seen(client, address, 80, count=4)
    assert list(expected.values()) == [CERTAIN]
