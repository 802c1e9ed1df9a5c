"""Chains and tables are told apart by whose they are."""

import pytest

from kubectl_packetpath.cluster.policy.enforcers import ENFORCERS
from kubectl_packetpath.dialects.owners import OWNERS, owner_of


@pytest.mark.parametrize(
    ("table", "chain", "owner"),
    [
        ("filter", "ANTREA-FORWARD", "Antrea"),
        ("nat", "ANTREA-POSTROUTING", "Antrea"),
        ("nat", "AWS-SNAT-CHAIN-0", "AWS VPC CNI"),
        ("nat", "AWS-CONNMARK-CHAIN-1", "AWS VPC CNI"),
        ("aws-cni", "snat-mark", "AWS VPC CNI"),
        ("nat", "SWIFT-POSTROUTING", "Azure CNI"),
        ("filter", "AZURE-NPM-INGRESS-2602480262", "Azure NPM"),
        ("filter", "cali-tw-cali0acb37c6d3a", "Calico"),
        ("calico", "filter-FORWARD", "Calico"),
        ("nat", "CILIUM_POST_nat", "Cilium"),
        ("filter", "OLD_CILIUM_FORWARD", "Cilium"),
        ("nat", "FLANNEL-POSTRTG", "flannel"),
        ("nat", "IP-MASQ-AGENT", "ip-masq-agent"),
        ("nat", "KIND-MASQ-AGENT", "kindnet"),
        ("nat", "KUBE-SVC-TCOU7JCQXEZGVUNU", "kube-proxy"),
        ("filter", "KUBE-FORWARD", "kube-proxy"),
        ("filter", "KUBE-ROUTER-FORWARD", "kube-router"),
        ("filter", "KUBE-POD-FW-4BDGZEWEU32YM75H", "kube-router"),
        ("filter", "KUBE-NWPLCY-DEFAULT", "kube-router"),
        ("kube-router-filter-ipv4", "KUBE-ROUTER-FORWARD", "kube-router"),
        ("nat", "OVN-KUBE-NODEPORT", "OVN-Kubernetes"),
        ("ovn-kubernetes", "mgmtport-snat", "OVN-Kubernetes"),
        ("filter", "WEAVE-NPC-EGRESS-DEFAULT", "Weave Net"),
        ("nat", "WEAVE", "Weave Net"),
    ],
)
def test_whose_a_chain_is(table: str, chain: str, owner: str) -> None:
    """By its table if that is a program's own, else by how its name begins."""
    found = owner_of(table, chain)

    assert found is not None
    assert found.name == owner


@pytest.mark.parametrize(
    ("table", "chain"), [("filter", "FORWARD"), ("nat", "PREROUTING"), ("mine", "input")]
)
def test_nobodys(table: str, chain: str) -> None:
    """The kernel's own chains, and what an administrator has made."""
    assert owner_of(table, chain) is None


def test_they_are_sorted() -> None:
    """By name, as people sort."""
    names = [each.name for each in OWNERS]

    assert names == sorted(names, key=str.casefold)


def test_one_name_for_one_program() -> None:
    """Those that enforce policies are called alike there and here."""
    for enforcer in ENFORCERS:
        for head in enforcer.chains:
            found = owner_of("", head)
            assert found is not None, head
            assert found.name == enforcer.name
