"""Findings about names: a pod's resolver."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from builders import client_pod, cluster, healthy, service

from kubectl_packetpath.cluster.naming.resolver import Files, resolver_of
from kubectl_packetpath.findings import Finding, findings_at_all

DNS = service(namespace="kube-system", name="kube-dns", cluster_ips=(ip_address("10.96.0.10"),))
SEARCH = "search default.svc.cluster.local svc.cluster.local cluster.local\n"


def found(text: str) -> list[Finding]:
    """What is found of a pod that has this file."""
    world = cluster(service(), DNS)
    resolver = resolver_of(client_pod(1), world, Files(own=text))
    answer = replace(healthy(world), resolver=resolver)
    return [each for each in findings_at_all(answer) if each.code == "PP701"]


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        (f"{SEARCH}nameserver 10.96.0.10\noptions ndots:1\n", "problem"),
        (f"{SEARCH}nameserver 192.0.2.53\noptions ndots:5\n", "suspicion"),
    ],
)
def test_a_file_of_its_own(text: str, severity: str) -> None:
    """With the file and the pod's policy as evidence; what a kubelet's flags may ask for is a suspicion."""
    (one,) = found(text)

    assert (one.id, one.severity, one.node, one.subject) == (
        "resolver-differs",
        severity,
        "node1",
        "default/client-1",
    )
    assert [each.text for each in one.evidence] == [text, "dnsPolicy ClusterFirst"]


def test_a_kubelets_own_file_is_none() -> None:
    """As promised."""
    assert found(f"{SEARCH}nameserver 10.96.0.10\noptions ndots:5\n") == []
