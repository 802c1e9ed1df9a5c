"""What Kubernetes offers for Services, in each proxy mode: the tool's prediction against 200 real connections.

node1 runs kube-proxy in iptables mode on nft, node2 in iptables mode on the legacy tables, node3 in nftables mode.
"""

import json
from ipaddress import ip_address, ip_network

import pytest
from cluster.features import ALLOWED_IP, FORBIDDEN_IP, PROXIED_IP, SPACE, ZONES, Features, make
from cluster.prediction import Said, assert_agreement, observed, packetpath, predicted
from cluster.stage import NODES, install_agent

from testbed.cluster import Cluster
from testbed.control import Place
from testbed.traffic import Reached, attempt, connect
from testbed.workloads import Server

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.bed(family="dual", network="ptp", proxies={"node2": "iptables-legacy", "node3": "nftables"}),
]
MADE: dict[str, Features] = {}


@pytest.fixture
def features(cluster: Cluster) -> Features:
    """Servers, clients, Services and the agent: made once per cluster."""
    name = cluster.spec.name
    if name not in MADE:
        install_agent(cluster)
        MADE[name] = make(cluster)
    return MADE[name]


def ask(features: Features, *words: str, expect: int | None = None) -> Said:
    """One question about a Service of the namespace."""
    return packetpath(features.cluster, *words, "-n", SPACE, expect=expect)


def agree(
    features: Features, source: Place, start: str, address: str, port: int, *more: str, expect: int
) -> Said:
    """The tool's answer for this address, which real connections from there bear out."""
    target = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    said = ask(features, target, "--from", start, *more, expect=expect)
    assert_agreement(predicted(said.paths), observed(features.cluster, source, address, port))
    return said


def ends(said: Said) -> set[str]:
    """The addresses at which paths arrive."""
    return {path["packet"]["destination"] for path in said.paths if path["verdict"] == "DELIVERED"}


def from_outside(features: Features) -> tuple[Place, str]:
    """The client outside, and how it is named."""
    return features.cluster.outside, f"outside:{features.cluster.plan.client(4)}"


@pytest.mark.parametrize("node", NODES)
def test_external_traffic_policy_local_node_port(features: Features, node: str) -> None:
    """Under externalTrafficPolicy Local only the node with the endpoint answers, and the client keeps its address."""
    outside, start = from_outside(features)
    address = str(features.cluster.node(node).address())
    port = features.node_port("one")
    said = agree(features, outside, start, address, port, expect=0 if node == "node1" else 1)
    if node == "node1":
        assert {path["packet"]["source"] for path in said.paths} == {str(features.cluster.plan.client(4))}
    else:
        assert ends(said) == set()


@pytest.mark.parametrize("node", NODES)
def test_external_traffic_policy_local_inside(features: Features, node: str) -> None:
    """For pods, a node port under externalTrafficPolicy Local leads to any endpoint."""
    address = str(features.cluster.node("node2").address())
    client = features.pod(f"client-{node}")
    target = f"{address}:{features.node_port('one')}"
    said = ask(features, target, "--from", f"pod/client-{node}")
    seen = observed(features.cluster, client, address, features.node_port("one"))
    assert_agreement(predicted(said.paths), seen)


@pytest.mark.parametrize("node", NODES)
def test_health_check_node_port(features: Features, node: str) -> None:
    """kube-proxy itself answers on a Service's health check port of every node: 200 only where an endpoint is ready."""
    port = int(features.spec("one")["healthCheckNodePort"])
    said = ask(features, "svc/one", "--from", "outside", "--node", node)
    ways = [way for way in said.ways if way["question"]["way"] == "HealthCheck"]
    assert [way["verdict"] for way in ways] == ["DELIVERED"] * 2
    for way in ways:
        address = ip_address(way["question"]["destination"])
        url = f"http://{f'[{address}]' if address.version == 6 else address}:{port}/healthz"
        curl = ["curl", "-s", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}", url]
        assert way["question"]["says"].startswith(features.cluster.outside.run(curl))


def test_health_of_the_proxy(features: Features) -> None:
    """On port 10256 kube-proxy tells of its own health."""
    said = ask(features, "node/node1:10256", "--from", from_outside(features)[1], expect=0)
    (way,) = (way for way in said.ways if "." in way["question"]["destination"])
    assert way["question"]["says"].startswith("kube-proxy answers GET /healthz with 200")
    url = f"http://{way['question']['destination']}:10256/healthz"
    curl = ["curl", "-s", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}", url]
    assert features.cluster.outside.run(curl) == "200"


@pytest.mark.parametrize("node", NODES)
def test_internal_traffic_policy_local(features: Features, node: str) -> None:
    """Under internalTrafficPolicy Local a node without an endpoint drops what its pods send."""
    source, address = features.pod(f"client-{node}"), features.cluster_ip("inside")
    said = agree(features, source, f"pod/client-{node}", address, 80, expect=0 if node == "node1" else 1)
    assert len(ends(said)) == (1 if node == "node1" else 0)


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("version", [4, 6])
def test_topology(features: Features, node: str, version: int) -> None:
    """With trafficDistribution PreferSameZone a node sends to the endpoints of its own zone."""
    source, address = features.pod(f"client-{node}"), features.cluster_ip("near", version)
    said = agree(features, source, f"pod/client-{node}", address, 80, expect=0)
    near = [other for other, zone in ZONES.items() if zone == ZONES[node]]
    assert ends(said) == {str(features.pod(f"server-{other}").address(version)) for other in near}


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("address", [ALLOWED_IP, FORBIDDEN_IP])
def test_source_ranges(features: Features, node: str, address: str) -> None:
    """The ranges of loadBalancerSourceRanges let the client in that they name, and drop any other."""
    features.cluster.route_from_outside(ip_network(f"{address}/32"), features.cluster.node(node))
    outside, start = from_outside(features)
    allowed = address == ALLOWED_IP
    said = agree(features, outside, start, address, 80, "--node", node, expect=0 if allowed else 1)
    assert len(ends(said)) == (3 if allowed else 0)


def test_ip_mode_proxy(features: Features) -> None:
    """An address of ipMode Proxy is the load balancer's own: the tool says so and sends nothing to it on the nodes."""
    said = ask(features, "svc/proxied")
    assert PROXIED_IP in said.out + said.err
    assert all(way["question"]["destination"] != PROXIED_IP for way in said.ways)


@pytest.mark.parametrize("node", NODES)
def test_node_port_on_localhost(features: Features, node: str) -> None:
    """A node port on 127.0.0.1 works in iptables mode, and not in nftables mode."""
    place = features.cluster.node(node)
    port = features.node_port("all")
    said = ask(features, f"127.0.0.1:{port}", "--from", f"node/{node}", expect=1 if node == "node3" else 0)
    assert_agreement(predicted(said.paths), observed(features.cluster, place, "127.0.0.1", port))


@pytest.mark.parametrize("node", NODES)
def test_host_network_endpoint(features: Features, node: str) -> None:
    """An endpoint in its node's own network is reached at the node's address."""
    source, address = features.pod(f"client-{node}"), features.cluster_ip("host")
    said = ask(features, f"{address}:80", "--from", f"pod/client-{node}", expect=0)
    seen = attempt(source, address, 80, count=20)
    clients = {str(each.client_address) for each in seen if isinstance(each, Reached)}
    assert ends(said) == {str(features.cluster.node("node2").address())}
    assert {path["packet"]["source"] for path in said.paths} == clients
    assert len(clients) == 1


@pytest.mark.parametrize("node", NODES)
def test_publish_not_ready_addresses(features: Features, node: str) -> None:
    """A pod that is not ready is reached only through the Service that publishes such pods."""
    source, start = features.pod(f"client-{node}"), f"pod/client-{node}"
    said = agree(features, source, start, features.cluster_ip("anyway"), 80, expect=0)
    assert ends(said) == {str(features.pod("unready").address())}
    said = ask(features, "svc/unready", "--from", start, expect=1)
    assert {path["verdict"] for path in said.paths} == {"NO_BACKEND"}


@pytest.mark.parametrize("node", NODES)
def test_manual_endpoint_slice(features: Features, node: str) -> None:
    """Endpoints written by hand, for a Service without a selector, count like any other."""
    source, address = features.pod(f"client-{node}"), features.cluster_ip("manual")
    said = agree(features, source, f"pod/client-{node}", address, 80, expect=0)
    assert ends(said) == {str(features.pod("server-node2").address())}


@pytest.mark.parametrize("node", NODES)
def test_endpoint_outside_of_the_cluster(features: Features, node: str) -> None:
    """The API server runs on no node: connections to its Service leave the cluster, and are answered."""
    (address,) = features.cluster.kube.get("Service", "kubernetes", "default")["spec"]["clusterIPs"][:1]
    host = f"[{address}]" if ":" in address else address
    curl = ["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", f"https://{host}/livez"]
    done = features.pod(f"client-{node}").attempt(curl)

    said = ask(features, "svc/default/kubernetes", "--from", f"pod/client-{node}", expect=0)

    assert (done.code, done.out) == (0, "200")
    assert {path["verdict"] for path in said.paths} == {"LEFT_CLUSTER"}


def test_overview(features: Features) -> None:
    """Each Service's row says what its own answer says."""
    names = ["all", "one", "inside", "host", "unready", "manual"]
    rows = json.loads(ask(features, "services").out)["services"]
    found = {row["name"]: row for row in rows}
    assert set(names) < set(found)
    for name in names:
        alone = ask(features, f"svc/{name}")
        told = json.loads(alone.out)
        codes = {each["code"] for part in (told, *told.get("ways", [])) for each in part["findings"]}
        ends = {0: "arrived", 1: "lost", 3: "unknown"}
        assert (found[name]["end"], found[name]["verdict"]) == (ends[alone.code], told["verdict"])
        assert {each["code"] for each in found[name]["findings"]} == codes


@pytest.mark.parametrize("node", NODES)
def test_session_affinity(features: Features, node: str) -> None:
    """A client that has been served stays with its endpoint, and the tool knows with which."""
    source, address = features.pod(f"client-{node}"), features.cluster_ip("sticky")
    first = connect(source, address, 80)
    assert isinstance(first, Reached)
    said = agree(features, source, f"pod/client-{node}", address, 80, expect=0)
    assert ends(said) == {str(features.pod(str(first.pod)).address())}


@pytest.mark.parametrize("node", NODES)
def test_terminating_endpoints(features: Features, node: str) -> None:
    """While all endpoints of a Service are on their way out but still serve, they get new connections."""
    name = f"late-{node}"
    server = Server(name=name, namespace=SPACE, node=node)
    pod = server.pod()
    pod["spec"]["terminationGracePeriodSeconds"] = 120
    pod["spec"]["containers"][0]["args"] += ["--delay-shutdown=110"]
    service = server.service(ports=[{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}])
    kube = features.cluster.kube
    kube.apply(pod, service)
    try:
        features.await_endpoints(name, lambda each: any(e["conditions"].get("ready") for e in each))
        kube.delete(pod, grace_seconds=120)
        features.await_endpoints(
            name, lambda each: [e["conditions"].get("terminating") for e in each] == [True]
        )
        features.settle()
        source, address = features.pod(f"client-{node}"), features.cluster_ip(name)
        said = agree(features, source, f"pod/client-{node}", address, 80, expect=0)
        assert len(ends(said)) == 1
    finally:
        kube.delete(pod, service)
