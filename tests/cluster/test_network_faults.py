"""Faults of routes that nodes announce by BGP, on real clusters: what the tool says; and real packets are lost so."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from cluster.faulty import UNKNOWN, Parts, ask, evidence
from cluster.stage import SPACE, Stage, stage_of

from testbed import bird
from testbed.cluster import Cluster
from testbed.control import Node
from testbed.faults import fault
from testbed.traffic import Reached, connect
from testbed.waiting import wait_until
from testbed.workloads import TCP_PORT

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.bed(family="dual", proxies={"node2": "iptables-legacy", "node3": "nftables"}),
]


@pytest.fixture
def stage(cluster: Cluster) -> Stage:
    """Servers, clients, Services and the agent: made once per cluster."""
    return stage_of(cluster)


@pytest.mark.parametrize("cluster", [{"network": "bgp", "subnets": 2}], ids=str, indirect=True)
def test_a_node_that_announces_nothing(stage: Stage) -> None:
    """Its route is missing on the others, which have routes by bird to all but its pods."""
    parts = Parts(stage=stage)
    client, address = stage.client("node1"), parts.server.address(4)
    routes = ["ip", "route", "show", "exact", str(parts.pods_of("node2"))]
    assert " proto bird " in parts.here.run(routes)
    with fault(Silent(node=parts.there, protocol="pods4")):
        wait_until("the route is gone", lambda: not parts.here.run(routes))
        seen = connect(client, address, TCP_PORT, timeout_seconds=1)
        said = ask(stage, address, code=UNKNOWN)
    wait_until("the route is back", lambda: bool(parts.here.run(routes)))

    assert not isinstance(seen, Reached)
    assert said.found == {"route-is-missing"}
    assert any(text.startswith("default via 172.30.1.1 ") for text in evidence(said))


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """A node's bird no longer has the routes of one of its protocols."""

    node: Node
    protocol: str

    def apply(self) -> Callable[[], object]:
        """They come back."""
        self._birdc("disable")
        return lambda: self._birdc("enable")

    def _birdc(self, verb: str) -> None:
        control = self.node.runtime.folder / "bird.ctl"
        self.node.run([str(bird.program("birdc")), "-s", str(control), verb, self.protocol])


@pytest.mark.parametrize("cluster", [{"network": "bgp", "subnets": 2}], ids=str, indirect=True)
@pytest.mark.parametrize(("server", "code"), [("node2", 0), ("node3", UNKNOWN)])
def test_routes_by_bird(stage: Stage, server: str, code: int) -> None:
    """The route is told with who wrote it; beyond the router, which nobody sees, the way is assumed."""
    pod, client = stage.cluster.pod(SPACE, f"web-{server}"), stage.client("node1")
    said = ask(stage, pod.address(4), code=code)
    (path,) = said.paths
    network = Parts(stage=stage).pods_of(server)
    routes = [
        fact["text"]
        for hop in path["hops"]
        for step in hop["steps"]
        for fact in step["because"]
        if fact["section"] == "route" and fact["text"].startswith(str(network))
    ]
    way = "172.30.1.12" if server == "node2" else "172.30.1.1"
    assert f"{network} via {way} dev eth0 proto bird metric 32" in routes
    assert said.found == set()
    assert path["hops"][-1]["namespace"] == f"{SPACE}/{pod.name}"
    assert [way in text for text in path["assumed"]] == ([] if code == 0 else [True])
    seen = connect(client, pod.address(4), TCP_PORT)
    assert isinstance(seen, Reached)
    assert (seen.pod, seen.client_address) == (pod.name, client.address(4))
