"""Calico for real: its policies, its chains and its tunnel, as the tool tells them, against real connections."""

import json
from collections.abc import Iterator

import pytest
from cluster.guarded import (
    SERVERS,
    all_lost,
    counted,
    kinds,
    last_rule,
    policies,
    raise_guard,
    rules_of,
)
from cluster.prediction import Said, assert_agreement, observed, packetpath, predicted
from cluster.stage import install_agent

from testbed.cluster import Cluster
from testbed.workloads import TCP_PORT, namespace

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.bed(
        family="dual", proxies={"node2": "iptables-legacy", "node3": "nftables"}, network="calico-vxlan"
    ),
]
SPACE = "guarded"
RAISED: dict[str, str] = {}
"""Per cluster: the Service's address."""


@pytest.fixture
def address(cluster: Cluster) -> str:
    """The address of a Service with a server on node1 and one on node2, which only `friend` may ask."""
    name = cluster.spec.name
    if name not in RAISED:
        install_agent(cluster)
        cluster.create_namespace(SPACE)
        RAISED[name] = raise_guard(cluster, SPACE)
    return RAISED[name]


def ask(cluster: Cluster, client: str, target: str = "svc/web:http", expect: int | None = None) -> Said:
    """The path of a client's connection."""
    return packetpath(cluster, target, "-n", SPACE, "--from", f"pod/{client}", expect=expect)


def test_an_allowed_client_reaches_all_servers(cluster: Cluster, address: str) -> None:
    """With the shares of real connections; the one on another node through the tunnel."""
    said = ask(cluster, "friend", expect=0)

    assert_agreement(
        predicted(said.paths), observed(cluster, cluster.pod(SPACE, "friend"), address, 80)
    )
    wrapped = {path["hops"][-1]["node"] or "": {"encapsulated", "decapsulated"} <= kinds(path) for path in said.paths}
    assert wrapped == {}


def test_the_rule_that_allows_names_its_policy(cluster: Cluster, address: str) -> None:
    """Both back ends of iptables have the policy's name in a comment, and the client in an ipset."""
    for path in ask(cluster, "friend", expect=0).paths:
        rules = [each for each in rules_of(path) if f"Policy {SPACE}/knp.default.allow ingress" in each]
        assert rules
