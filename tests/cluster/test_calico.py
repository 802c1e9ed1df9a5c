"""Calico for real: its policies, its chains and its tunnel, as the tool tells them, against real connections."""

from ipaddress import IPv4Address

import pytest
from cluster.guarded import (
    CLIENTS,
    FEW,
    SPACE,
    all_lost,
    ask,
    counted,
    ends_in,
    guarded_service,
    kinds,
    last_rule,
    rules_of,
)
from cluster.prediction import assert_agreement, observed, predicted

from testbed.cluster import Cluster
from testbed.workloads import TCP_PORT

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.bed(
        family="dual", proxies={"node2": "iptables-legacy", "node3": "nftables"}, network="calico-vxlan"
    ),
]


@pytest.fixture
def address(cluster: Cluster) -> str:
    """A Service with a server on each node, which only `friend` may ask."""
    return guarded_service(cluster)


def test_an_allowed_client_reaches_all_servers(cluster: Cluster, address: str) -> None:
    """With the shares of real connections; the one on another node through the tunnel."""
    said = ask(cluster, "friend", expect=0)
    assert_agreement(predicted(said.paths), observed(cluster, cluster.pod(SPACE, "friend"), address, 80))

    tunnel, near = {"encapsulated", "decapsulated"}, str(cluster.pod(SPACE, "closed-node1").address(4))
    for path in said.paths:
        assert kinds(path) & tunnel == (set() if ends_in(path) == near else tunnel)


@pytest.mark.usefixtures("address")
def test_the_rule_that_allows_names_its_policy_and_its_set(cluster: Cluster) -> None:
    """In both back ends of iptables: the policy's name in a comment, and the client in the set of its selector."""
    friend = cluster.pod(SPACE, "friend").address(4)
    for path in ask(cluster, "friend", expect=0).paths:
        (rule,) = {each for each in rules_of(path) if f"Policy {SPACE}/knp.default.allow ingress" in each}
        name = next(word for word in rule.split() if word.startswith("cali40s:"))
        node = cluster.node(path["hops"][-1]["node"])
        members = node.run(["ipset", "list", name, "-output", "plain"]).partition("Members:")[2].split()
        assert list(map(IPv4Address, members)) == [friend]


@pytest.mark.parametrize(
    ("client", "policies"), [("other", {"allow", "deny"}), ("mute", {"mute"})], ids=["ingress", "egress"]
)
def test_what_a_policy_denies_is_lost(
    cluster: Cluster, address: str, client: str, policies: set[str]
) -> None:
    """On every path; each policy that selects the pod is named, with its chain and how to look at it."""
    assert all_lost(cluster.pod(SPACE, client), address, 80)
    said = ask(cluster, client, expect=1)

    assert predicted(said.paths) == {("lost",): pytest.approx(1.0)}
    told = [each for way in said.ways for each in way["findings"] if each["id"] == "policies-deny"]
    assert told
    for finding in told:
        describe = {f"kubectl -n {SPACE} describe networkpolicy {name}" for name in policies}
        assert set(finding["remedy"]) == describe
        direction = {"other": "pi", "mute": "po"}[client]
        node = cluster.node(finding["node"])
        for name in policies:
            (chain,) = _chains_of(finding["message"], f"NetworkPolicy {SPACE}/{name}")
            comment = f"Policy {SPACE}/knp.default.{name} {'ingress' if direction == 'pi' else 'egress'}"
            assert chain.startswith(f"cali-{direction}-")
            assert comment in node.run(["iptables", "-w", "-S", chain])


def _chains_of(message: str, policy: str) -> list[str]:
    """The words before ` is NetworkPolicy shop/web`."""
    words = message.replace(";", " ").split()
    is_, kind, name = "is", *policy.split()
    return [words[i] for i in range(len(words) - 3) if words[i + 1 : i + 4] == [is_, kind, name]]


@pytest.mark.usefixtures("address")
def test_the_rule_that_drops_counts_the_packets(cluster: Cluster) -> None:
    """The very rule that the tool names, in both back ends, meets each packet of a denied client."""
    other = cluster.pod(SPACE, "other")
    for path in ask(cluster, "other", expect=1).paths:
        rule, node = last_rule(path), cluster.node(path["hops"][-1]["node"])
        before = counted(node, rule["text"])
        assert all_lost(other, ends_in(path), TCP_PORT)
        assert counted(node, rule["text"]) - before >= FEW
        assert "Drop if no policies passed packet" in rule["text"]


@pytest.mark.usefixtures("address")
@pytest.mark.parametrize("server", ["closed-node1", "closed-node2"])
@pytest.mark.parametrize("client", CLIENTS)
def test_pods_by_their_own_address(cluster: Cluster, client: str, server: str) -> None:
    """On the same node and on another one, what policies say, what the walk says and what happens are the same."""
    target = cluster.pod(SPACE, server).address(4)
    (path,) = ask(cluster, client, f"{target}:{TCP_PORT}").paths
    says = {side["says"] for side in path["policies"]}
    lost = all_lost(cluster.pod(SPACE, client), str(target), TCP_PORT)

    allowed = client == "friend"
    assert (path["verdict"] == "DELIVERED", says == {"allowed"}, not lost) == (allowed, allowed, allowed)
