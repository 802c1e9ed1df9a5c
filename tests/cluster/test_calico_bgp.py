"""Calico without a tunnel: the routes of its real BGP daemon, over two subnets, against real connections."""

import pytest
from cluster.guarded import SERVERS, SPACE, all_lost, ask, ends_in, guarded_service, kinds, last_rule
from cluster.prediction import assert_agreement, observed, predicted

from testbed.cluster import Cluster

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.bed(subnets=2, proxies={"node2": "iptables-legacy"}, network="calico-bgp"),
]


@pytest.fixture
def address(cluster: Cluster) -> str:
    """A Service with a server on each node, which only `friend` may ask."""
    return guarded_service(cluster)


def test_packets_go_as_they_are(cluster: Cluster, address: str) -> None:
    """To the same node, to one beside it, and through the router to one on the other subnet.

    What the router does is not seen, so that way is an assumption, with an exit code that says so.
    """
    said = ask(cluster, "friend", expect=3)
    far = str(cluster.pod(SPACE, "closed-node3").address(4))
    expected = predicted(said.paths)
    assert [end[1] for end, weight in expected.items() if weight is None] == [far]
    rest = 1 - sum(filter(None, expected.values()))
    expected = {end: rest if weight is None else weight for end, weight in expected.items()}

    assert_agreement(expected, observed(cluster, cluster.pod(SPACE, "friend"), address, 80))
    assert not any({"encapsulated", "decapsulated"} & kinds(path) for path in said.paths)


@pytest.mark.usefixtures("address")
def test_the_routes_are_birds(cluster: Cluster) -> None:
    """The route that sends a packet off the node is one that bird learned, by the very next hop."""
    router, beside = cluster.plan.lan(1, 4)[1], cluster.node("node2").address()
    hops = {"closed-node2": beside, "closed-node3": router}
    paths = {ends_in(path): path for path in ask(cluster, "friend", expect=3).paths}
    for name in SERVERS:
        pod = cluster.pod(SPACE, name).address(4)
        learned = [
            fact["text"]
            for hop in paths[str(pod)]["hops"]
            for step in hop["steps"]
            for fact in step["because"]
            if fact["section"] == "route" and "proto bird" in fact["text"] and "blackhole" not in fact["text"]
        ]
        assert [f" via {hops[name]} " in text for text in learned] == [True] * (name in hops)


def test_what_a_policy_denies_is_lost_on_the_servers_node(cluster: Cluster, address: str) -> None:
    """Behind the router as well: there the rule stops it, and the policies are named."""
    assert all_lost(cluster.pod(SPACE, "other"), address, 80)
    said = ask(cluster, "other", expect=1)

    assert set(predicted(said.paths)) == {("lost",)}
    assert {path["hops"][-1]["node"] for path in said.paths} == set(SERVERS.values())
    assert all("Drop if no policies passed packet" in last_rule(path)["text"] for path in said.paths)
    assert "policies-deny" in said.found
