"""What Kubernetes offers for Services, in IPVS mode, in the virtual machine: the walk against real connections."""

import time
from fractions import Fraction
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from cluster.ipvs_prediction import World, asked, seen, wait_for_sync, world_of
from cluster.vm_stage import NODES, SPACE, Stage, balanced_stage, keep_quiet

from kubectl_packetpath.trace import Verdict
from kubectl_packetpath.walk.cluster import Place, PlaceKind
from testbed.addresses import Address
from testbed.cluster import Cluster
from testbed.control import Node
from testbed.faults import ProxyTold, fault
from testbed.traffic import Reached, Refused, connect
from testbed.waiting import wait_until
from testbed.workloads import TCP_PORT, Manifest, Server

pytestmark = [
    pytest.mark.vm,
    pytest.mark.cluster,
    pytest.mark.bed(nodes=2, proxy="ipvs", network="flannel-wireguard", family="dual"),
]
ZONE = "topology.kubernetes.io/zone"
HTTP = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": TCP_PORT}]
ALLOWED, FORBIDDEN, EXTERNAL, PROXIED = (ip_address(f"192.0.2.{n}") for n in (101, 102, 103, 104))
ON_NODE1 = {"node": "node1"}
WORLDS: dict[str, World] = {}
CERTAIN = Fraction(1)
LATE_SECONDS = 3600


@pytest.fixture
def world(cluster: Cluster) -> World:
    """A Service for each feature, in front of the servers, and what both kernels hold once they know them."""
    if cluster.spec.name not in WORLDS:
        WORLDS[cluster.spec.name] = _made(balanced_stage(cluster))
    return WORLDS[cluster.spec.name]


def _made(stage: Stage) -> World:
    cluster = stage.cluster
    for number, node in enumerate(NODES):
        meta = {"name": node, "labels": {ZONE: f"zone-{number}"}}
        cluster.kube.patch({"apiVersion": "v1", "kind": "Node", "metadata": meta})
    cluster.kube.apply(_unready(), _by_host(), _late(), *_services(stage))
    for name, address in (("allowed", ALLOWED), ("forbidden", FORBIDDEN), ("proxied", PROXIED)):
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": SPACE}}
        status = {
            "loadBalancer": {
                "ingress": [{"ip": str(address), "ipMode": "Proxy" if name == "proxied" else "VIP"}]
            }
        }
        cluster.kube.patch(service | {"status": status}, subresource="status")
    cluster.kube.apply(_slice(stage.pods["node2"].address()))
    for name in ("host", "anyway", "late"):
        wait_until(f"{name} has an endpoint", partial(_has_endpoint, cluster, name))
    wait_until("endpoints are for zones", lambda: all(e.get("hints") for e in _endpoints(cluster, "near")))
    cluster.kube.delete(_late(), grace_seconds=LATE_SECONDS)
    wait_until("one leaves", lambda: _endpoints(cluster, "late")[0]["conditions"].get("terminating"))
    _settle(stage)
    host = cluster.node("node2")
    unready, late = (cluster.pod(SPACE, name) for name in ("unready", "late"))
    names = {host.address(): _name_of(stage, "host"), unready.address(): "unready", late.address(): "late"}
    keep_quiet(cluster)
    return world_of(stage, names)


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
    wait_for_sync(stage.cluster.nodes)


def _reaches(node: Node, address: Address) -> bool:
    return isinstance(connect(node, address, 80, timeout_seconds=0.5), Reached)


def _endpoints(cluster: Cluster, service: str) -> list[dict[str, Any]]:
    label = f"kubernetes.io/service-name={service}"
    slices = cluster.kube.list("EndpointSlice", SPACE, api="discovery.k8s.io/v1", labels=label)
    return [each for part in slices for each in part.get("endpoints") or []]


def _has_endpoint(cluster: Cluster, service: str) -> bool:
    return any(each["conditions"].get("ready") for each in _endpoints(cluster, service))


def _late() -> Manifest:
    """Still serves for long after it is told to end."""
    pod = Server(name="late", namespace=SPACE, node="node2").pod()
    pod["spec"]["terminationGracePeriodSeconds"] = LATE_SECONDS
    pod["spec"]["containers"][0]["args"] += [f"--delay-shutdown={LATE_SECONDS}"]
    return pod


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
        make(name="proxied", type="LoadBalancer"),
        make(name="external", externalIPs=[str(EXTERNAL)]),
        make(name="host", selector={"app": "by-host"}, ports=host),
        make(name="near", trafficDistribution="PreferSameZone"),
        make(name="late", selector={"app": "late"}),
        make(name="headless", clusterIP="None"),
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
    "service",
    ["inside", "manual", "external", "host", "unready", "anyway", "allowed", "forbidden", "near", "late"],
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
def test_ip_mode_proxy(world: World, node: str) -> None:
    """No node takes packets for an address of ipMode Proxy: a pod's leave the cluster, where nobody has it."""
    expected = world.said(world.from_pod(node), asked(PROXIED, 80))
    assert expected == seen(world.stage.pods[node], PROXIED, 80, count=2) == {("lost",): CERTAIN}
    assert world.verdicts(world.from_pod(node), asked(PROXIED, 80)) == {Verdict.LEFT_CLUSTER}


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
    packet = asked(cluster.node(node).address(), _health_port(world), source=cluster.plan.client(4))
    assert world.verdicts(Place(kind=PlaceKind.OUTSIDE, node=node), packet) == {Verdict.DELIVERED}
    assert _health(world, node) == ("200" if node == "node1" else "503")


def _health_port(world: World) -> int:
    return int(_spec(world.stage, "local")["healthCheckNodePort"])


def _health(world: World, node: str) -> str:
    """The status that the port of health checks answers with; 000: nobody answers."""
    cluster = world.stage.cluster
    url = f"http://{cluster.node(node).address()}:{_health_port(world)}/healthz"
    curl = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", url]
    return cluster.outside.attempt(curl).out


@pytest.mark.parametrize("node", NODES)
def test_session_affinity(world: World, node: str) -> None:
    """A client that has been served stays with its endpoint while the persistence template lives."""
    address, client = _address(world.stage, "sticky"), world.stage.pods[node]
    assert isinstance(connect(client, address, 80), Reached)
    now = world_of(world.stage)
    expected = now.said(now.from_pod(node), asked(address, 80))
    assert expected == seen(client, address, 80, count=4)
    assert list(expected.values()) == [CERTAIN]


@pytest.mark.parametrize("node", NODES)
def test_headless(world: World, node: str) -> None:
    """Nobody translates: its name leads straight to the pods."""
    client = world.stage.pods[node]
    assert _spec(world.stage, "headless")["clusterIP"] == "None"
    for server in world.stage.pods.values():
        address = server.address()
        expected = world.said(world.from_pod(node), asked(address, TCP_PORT))
        assert expected == seen(client, address, TCP_PORT, count=2)
        assert expected == {("reached", server.name, str(client.address())): CERTAIN}


@pytest.mark.parametrize("node", NODES)
def test_health_of_the_proxy(world: World, node: str) -> None:
    """On port 10256 kube-proxy tells of its own health."""
    cluster = world.stage.cluster
    address = cluster.node(node).address()
    packet = asked(address, 10256, source=cluster.plan.client(4))
    assert world.verdicts(Place(kind=PlaceKind.OUTSIDE, node=node), packet) == {Verdict.DELIVERED}
    curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{address}:10256/healthz"]
    assert cluster.outside.run(curl) == "200"


def test_masquerade_all_and_node_port_addresses(world: World) -> None:
    """A proxy that is told so hides every pod, and serves node ports only where it may."""
    stage = world.stage
    cluster, node = stage.cluster, stage.cluster.node("node2")
    client, port = stage.pods["node2"], stage.node_ports["http"]
    told = ProxyTold(
        node=node, settings={"iptables": {"masqueradeAll": True}, "nodePortAddresses": ["198.18.0.0/15"]}
    )
    everyone = stage.services["everyone"][4]
    with fault(told):
        wait_until(
            "node ports are closed",
            lambda: isinstance(connect(cluster.outside, node.address(), port), Refused),
        )
        wait_for_sync([node])
        now = world_of(stage)
        balanced = now.said(now.from_pod("node2"), asked(everyone, 80))
        by_port = from_outside(now, "node2", node.address(), port)
        seen_balanced = seen(client, everyone, 80, count=4)
        seen_by_port = seen(cluster.outside, node.address(), port, count=2)
        before = time.time()
    wait_until(
        "node ports are open", lambda: isinstance(connect(cluster.outside, node.address(), port), Reached)
    )
    wait_for_sync([node], since=before)
    wait_until("its health check port answers", lambda: _health(world, "node2") == "503")

    assert balanced == seen_balanced
    assert str(client.address()) not in {end[-1] for end in balanced}
    assert by_port == seen_by_port == {("refused",): CERTAIN}
