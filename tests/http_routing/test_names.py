"""What the cluster's DNS answers, against CoreDNS' own tests."""

from ipaddress import ip_address
from typing import Any

import pytest
from http_routing.tables import groups

from kubectl_packetpath.cluster.model import Cluster
from kubectl_packetpath.cluster.naming.records import Code, answer
from kubectl_packetpath.cluster.objects import cluster_of

CASES = groups("names.yaml")
HTTP = [{"name": "http", "protocol": "TCP", "port": 80}]


def service(name: str, addresses: list[str], namespace: str = "testns", **spec: Any) -> dict[str, Any]:
    """A Service."""
    given = {"clusterIP": addresses[0] if addresses else "None", "clusterIPs": addresses, "ports": HTTP}
    return {"metadata": {"namespace": namespace, "name": name}, "spec": given | spec}


def endpoints(name: str, ports: list[dict[str, Any]], *listed: dict[str, Any]) -> dict[str, Any]:
    """An EndpointSlice."""
    labels = {"kubernetes.io/service-name": name}
    meta = {"namespace": "testns", "name": f"{name}-slice1", "labels": labels}
    return {"metadata": meta, "ports": ports, "endpoints": list(listed)}


def world() -> Cluster:
    """The objects of CoreDNS' tests."""
    external: dict[str, Any] = {"type": "ExternalName", "clusterIP": "", "clusterIPs": []}
    dns = [{"name": "dns", "protocol": "UDP", "port": 53}]
    hosts: list[dict[str, Any]] = [{"addresses": [f"172.0.0.{n}"]} for n in (2, 3)]
    hosts += [{"addresses": [f"172.0.0.{n}"], "hostname": "dup-name"} for n in (4, 5)]
    hosts += [{"addresses": [f"5678:abcd::{n}"]} for n in (1, 2)]
    return cluster_of(
        {
            "services": [
                service("kubedns", ["10.0.0.10"], "kube-system", ports=dns),
                service("svc1", ["10.0.0.1"]),
                service("svcempty", ["10.0.0.1"]),
                service("svc6", ["1234:abcd::1"]),
                service("svc-dual-stack", ["10.0.0.3", "10::3"]),
                service("hdls1", []),
                service("hdlsprtls", [], ports=[]),
                service("notready", []),
                service("external", [], **external, externalName="ext.interwebs.test"),
                service("external-to-service", [], **external, externalName="svc1.testns.svc.cluster.local."),
            ],
            "endpointslices": [
                endpoints("hdls1", HTTP, *hosts),
                endpoints("hdlsprtls", [], {"addresses": ["172.0.0.20"]}),
                endpoints("notready", HTTP, {"addresses": ["172.0.0.30"], "conditions": {"ready": False}}),
            ],
            "namespaces": [{"metadata": {"name": name}} for name in ("testns", "podns", "kube-system")],
        }
    )


@pytest.mark.parametrize("case", CASES, ids=[f"{n} {each['name']}" for n, each in enumerate(CASES)])
def test_a_name_is_answered_as_coredns_does(case: dict[str, Any]) -> None:
    """Addresses, an alias, or the code of having none."""
    found = answer(case["name"], world())

    assert {ip_address(each) for each in case.get("found", ())} == set(found.addresses)
    assert case.get("alias", "") == found.alias
    assert case.get("code", "NOERROR") == found.code
    if "ports" in case:
        assert sorted(case["ports"]) == sorted(f"{each.port} {each.target}" for each in found.ports)
    for version, key in ((4, "a"), (6, "aaaa")):
        assert found.code_of(version) == Code(case.get(key, found.code_of(version)))
