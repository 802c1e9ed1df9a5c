"""What the tool says about a Service, against what really happens to 200 connections."""

from contextlib import ExitStack
from ipaddress import ip_network

import pytest
from cluster.prediction import Said, assert_agreement, observed, packetpath, predicted
from cluster.stage import (
    EXTERNAL_IP,
    LOAD_BALANCER_IP,
    NODES,
    SPACE,
    Stage,
    stage_of,
    wait_for_endpoints,
)

from testbed.cluster import Cluster
from testbed.faults import (
    ChainFlushed,
    ForeignRule,
    PodUnready,
    ProxyFrozen,
    RouteDeleted,
    SysctlSet,
    fault,
)
from testbed.traffic import Protocol, Refused, connect, sctp_server
from testbed.waiting import wait_until
from testbed.workloads import SCTP_PORT

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.bed(family="dual", proxies={"node2": "iptables-legacy", "node3": "nftables"}),
    pytest.mark.parametrize("cluster", [{"network": "bridge"}, {"network": "ptp"}], ids=str, indirect=True),
]
PORTS: dict[Protocol, tuple[int, str]] = {"tcp": (80, "http"), "udp": (81, "udp"), "sctp": (82, "sctp")}


@pytest.fixture
def stage(cluster: Cluster) -> Stage:
    """Servers, clients, Services and the agent: made once per cluster."""
    return stage_of(cluster)


def ask(stage: Stage, *words: str, expect: int | None = None) -> Said:
    """One question about a Service of the stage."""
    return packetpath(stage.cluster, *words, "-n", SPACE, expect=expect)


def target(address: str, port: int) -> str:
    """An address and port as the command line takes it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("version", [4, 6])
def test_pod_to_cluster_ip(stage: Stage, node: str, version: int) -> None:
    """Endpoints, shares and the client's address are those of real connections, in both IP versions."""
    address = stage.cluster_ip("web", version)

    said = ask(stage, target(address, 80), "--from", f"pod/client-{node}", expect=0)

    assert said.found == set()
    assert_agreement(predicted(said.paths), observed(stage.cluster, stage.client(node), address, 80))


@pytest.mark.parametrize("node", NODES)
def test_node_to_cluster_ip(stage: Stage, node: str) -> None:
    """A program on a node reaches the same endpoints, and is seen as the tool says."""
    address = stage.cluster_ip("web")

    said = ask(stage, "svc/web:http", "--from", f"node/{node}", expect=0)

    way = next(w for w in said.ways if w["question"]["destination"] == address)
    assert_agreement(predicted(way["paths"]), observed(stage.cluster, stage.cluster.node(node), address, 80))


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("version", [4, 6])
def test_outside_to_node_port(stage: Stage, node: str, version: int) -> None:
    """A client outside reaches every endpoint through a node port of each node."""
    address, port = str(stage.cluster.node(node).address(version)), stage.node_port("web")
    outside = str(stage.cluster.plan.client(version))

    said = ask(stage, target(address, port), "--from", f"outside:{outside}", expect=0)

    assert_agreement(predicted(said.paths), observed(stage.cluster, stage.cluster.outside, address, port))


@pytest.mark.parametrize("address", [EXTERNAL_IP, LOAD_BALANCER_IP])
@pytest.mark.parametrize("node", NODES)
def test_outside_to_a_virtual_address(stage: Stage, node: str, address: str) -> None:
    """An externalIP and a load balancer's address work through whichever node they are routed to."""
    outside = str(stage.cluster.plan.client(4))
    stage.cluster.route_from_outside(ip_network(f"{address}/32"), stage.cluster.node(node))

    said = ask(stage, f"{address}:80", "--from", f"outside:{outside}", "--node", node, expect=0)

    assert_agreement(predicted(said.paths), observed(stage.cluster, stage.cluster.outside, address, 80))


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("protocol", ["udp", "sctp"])
def test_other_protocols(stage: Stage, node: str, protocol: Protocol) -> None:
    """UDP and SCTP take the ways that the tool says."""
    address, (port, _) = stage.cluster_ip("web"), PORTS[protocol]
    words = (f"{address}:{port}", "--from", f"pod/client-{node}", "--protocol", protocol)
    if protocol == "udp":
        said = ask(stage, *words, expect=0)
        assert_agreement(
            predicted(said.paths), observed(stage.cluster, stage.client(node), address, port, protocol)
        )
        return
    servers = [stage.cluster.pod(SPACE, f"web-{each}") for each in NODES]
    with ExitStack() as running:
        for server in servers:
            running.enter_context(sctp_server(server, SCTP_PORT))
        seen = observed(stage.cluster, stage.client(node), address, port, protocol)
    said = ask(stage, *words)
    ends = {path["packet"]["destination"] for path in said.paths}
    assert {end[1] for end in seen} == ends


@pytest.mark.parametrize("node", NODES)
def test_hairpin(stage: Stage, node: str) -> None:
    """A pod that reaches itself through the Service is seen with the address that the tool says."""
    address = stage.cluster_ip("web")

    said = ask(stage, f"{address}:80", "--from", f"pod/web-{node}", expect=0)

    pod = stage.cluster.pod(SPACE, f"web-{node}")
    assert_agreement(predicted(said.paths), observed(stage.cluster, pod, address, 80))


@pytest.mark.parametrize("node", NODES)
def test_no_endpoints(stage: Stage, node: str) -> None:
    """A Service that selects nothing is refused, and the tool says that it has no backend."""
    address = stage.cluster_ip("nobody")

    said = ask(stage, "svc/nobody:http", "--from", f"pod/client-{node}", expect=1)

    assert {path["verdict"] for path in said.paths} == {"NO_BACKEND"}
    assert said.found == {"selector-matches-no-pod"}
    # One connection: the kernel limits how many port unreachables it sends to one address.
    assert isinstance(connect(stage.client(node), address, 80), Refused)


@pytest.mark.parametrize("node", NODES)
def test_nothing_listens(stage: Stage, node: str) -> None:
    """A targetPort on which nothing listens ends REFUSED in the pod."""
    address = stage.cluster_ip("deaf")

    said = ask(stage, f"{address}:80", "--from", f"pod/client-{node}", expect=1)

    assert {path["verdict"] for path in said.paths} == {"REFUSED"}
    assert said.found == {"nothing-listens"}
    assert {path["hops"][-1]["namespace"] for path in said.paths} == {f"{SPACE}/web-{each}" for each in NODES}
    assert set(observed(stage.cluster, stage.client(node), address, 80)) == {("refused",)}


def test_headless_and_external_name(stage: Stage) -> None:
    """A headless Service leads straight to its pods; an ExternalName has no path of its own and says so."""
    said = ask(stage, "svc/headless:http", "--from", "pod/client-node1", expect=0)
    ends = {path["packet"]["destination"] for path in said.paths}
    assert ends >= {str(stage.cluster.pod(SPACE, f"web-{node}").address(4)) for node in NODES}

    other = packetpath(stage.cluster, "svc/elsewhere", "-n", SPACE)
    assert "db.example.com" in other.out + other.err


def test_unready_endpoint(stage: Stage) -> None:
    """An endpoint that is not ready gets no new connection, in prediction and reality."""
    address = stage.cluster_ip("web")
    gone = str(stage.cluster.pod(SPACE, "web-node3").address(4))
    with fault(PodUnready(kube=stage.cluster.kube, namespace=SPACE, name="web-node3")):
        wait_until(
            "the endpoint is gone",
            lambda: (
                gone
                not in {
                    end[1] for end in observed(stage.cluster, stage.client("node1"), address, 80) if end[1:]
                }
            ),
        )
        said = ask(stage, f"{address}:80", "--from", "pod/client-node1", expect=0)
        assert_agreement(predicted(said.paths), observed(stage.cluster, stage.client("node1"), address, 80))
        assert gone not in {path["packet"]["destination"] for path in said.paths}
    wait_for_endpoints(stage)


def test_flushed_chain(stage: Stage) -> None:
    """With kube-proxy's chain flushed a ClusterIP goes nowhere; the tool names the place."""
    node = stage.cluster.node("node1")
    address = stage.cluster_ip("web")
    with fault(ProxyFrozen(node=node), ChainFlushed(node=node, table="nat", chain="KUBE-SERVICES")):
        said = ask(stage, f"{address}:80", "--from", "pod/client-node1", expect=1)
        seen = observed(stage.cluster, stage.client("node1"), address, 80)
    assert all(end[0] != "reached" for end in seen)
    assert {path["hops"][-1]["node"] for path in said.paths} == {"node1"} or {
        path["verdict"] for path in said.paths
    } == {"LEFT_CLUSTER"}
    assert said.found == {"service-not-programmed"}


def test_deleted_route(stage: Stage) -> None:
    """Without the route to a node's pods, the share of connections for them is lost where the route is missing."""
    node, address = stage.cluster.node("node1"), stage.cluster_ip("web")
    pods = stage.cluster.plan.pods_of(stage.cluster.spec.node("node2"), 4)
    with fault(RouteDeleted(place=node, destination="default"), RouteDeleted(place=node, destination=pods)):
        said = ask(stage, f"{address}:80", "--from", "pod/client-node1", expect=1)
        seen = observed(stage.cluster, stage.client("node1"), address, 80)
    lost = [path for path in said.paths if path["verdict"] != "DELIVERED"]
    assert {path["verdict"] for path in lost} == {"NO_ROUTE"}
    assert said.found == {"route-is-missing"}
    assert {path["hops"][-1]["node"] for path in lost} == {"node1"}
    reached = {end[1] for end in seen if end[0] == "reached"}
    assert reached == {p["packet"]["destination"] for p in said.paths if p["verdict"] == "DELIVERED"}


def test_a_router_that_nobody_sees(stage: Stage) -> None:
    """Where pods' packets go to a router instead, nobody knows what it does: UNKNOWN, with its address named."""
    node, address = stage.cluster.node("node1"), stage.cluster_ip("web")
    pods = stage.cluster.plan.pods_of(stage.cluster.spec.node("node2"), 4)
    with fault(RouteDeleted(place=node, destination=pods)):
        said = ask(stage, f"{address}:80", "--from", "pod/client-node1", expect=3)
    assert said.found == {"route-is-missing"}
    doubts = {text for path in said.paths for text in path["assumed"]}
    router = stage.cluster.node("node1").run(["ip", "-4", "route", "show", "default"]).split()[2]
    assert any(router in text for text in doubts), doubts


def test_foreign_drop_rule(stage: Stage) -> None:
    """A rule that somebody else put into FORWARD is named as what drops the packet."""
    node, address = stage.cluster.node("node1"), stage.cluster_ip("web")
    rule = "-p tcp -m tcp --dport 8080 -j DROP"
    with fault(ForeignRule(node=node, chain="FORWARD", rule=rule)):
        said = ask(stage, f"{address}:80", "--from", "pod/client-node1", expect=1)
        seen = observed(stage.cluster, stage.client("node1"), address, 80)
    dropped = [path for path in said.paths if path["verdict"] == "DROPPED"]
    assert dropped
    assert said.found == {"foreign-rule-stops"}
    for path in dropped:
        step = path["hops"][-1]["steps"][-1]
        assert any(f"-A FORWARD {rule}" in fact["text"] for fact in step["because"]), step
    assert {p["packet"]["destination"] for p in said.paths if p["verdict"] == "DELIVERED"} == {
        end[1] for end in seen if end[0] == "reached"
    }


def test_forwarding_off(stage: Stage) -> None:
    """With ip_forward off, the sysctl is named, and connections really fail."""
    node, service = stage.cluster.node("node1"), stage.cluster_ip("web")
    with fault(SysctlSet(place=node, name="net/ipv4/ip_forward", value=0)):
        said = ask(stage, f"{service}:80", "--from", "pod/client-node1", expect=1)
        seen = observed(stage.cluster, stage.client("node1"), service, 80)
    lost = [path for path in said.paths if path["verdict"] != "DELIVERED"]
    assert said.found == {"forwarding-is-off"}
    facts = [fact for path in lost for fact in path["hops"][-1]["steps"][-1]["because"]]
    assert any("ip_forward" in fact["key"] or "forwarding" in fact["key"] for fact in facts)
    assert {p["packet"]["destination"] for p in said.paths if p["verdict"] == "DELIVERED"} == {
        end[1] for end in seen if end[0] == "reached"
    }
