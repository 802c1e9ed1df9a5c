"""Load balancers of clouds, by Services as the clouds' controllers leave them behind.

Sources of the objects: kubernetes-sigs/aws-load-balancer-controller (docs/guide/service, pkg/service/model_builder_test.go),
kubernetes/cloud-provider-aws (docs/service_controller.md), kubernetes/ingress-gce (pkg/utils/common/finalizer.go,
pkg/annotations), kubernetes-sigs/cloud-provider-azure (site/content/en/topics/loadbalancer.md), the cloud controllers of
DigitalOcean, Hetzner and OpenStack.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from kubectl_packetpath.cluster.clouds import Arrival, Balancer, balancer_of
from kubectl_packetpath.cluster.model import Cluster
from kubectl_packetpath.cluster.objects import cluster_of

BETA = "service.beta.kubernetes.io"
AWS = f"{BETA}/aws-load-balancer"
NLB = {"hostname": "k8s-default-web-0123456789-0123456789abcdef.elb.eu-west-1.amazonaws.com"}
VIP = {"ip": "203.0.113.80", "ipMode": "VIP"}
MADE_BY_AWS = {"finalizers": ["service.k8s.aws/resources"]}
CLEANUP = {"finalizers": ["service.kubernetes.io/load-balancer-cleanup"]}
ON_AZURE = "azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/v/virtualMachines/0"


def group(kind: str) -> dict[str, Any]:
    """A TargetGroupBinding."""
    spec = {"serviceRef": {"name": "web", "port": 80}, "targetType": kind}
    return {"metadata": {"namespace": "default", "name": "k8s-default-web-1"}, "spec": spec}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A Service, its nodes, and what is said of its balancer."""

    annotations: dict[str, str] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    status: tuple[dict[str, str], ...] = ()
    node: str = ""
    groups: tuple[dict[str, Any], ...] = ()
    provider: str
    arrival: Arrival
    certain: bool
    """Whether the cluster itself says who it is and where packets come in."""
    says: tuple[tuple[str, bool, str], ...] = ()
    """Topic, whether it is certain, and words of it."""


def world(case: Case) -> Cluster:
    """The cluster with it."""
    meta = {"namespace": "default", "name": "web", "annotations": case.annotations} | case.meta
    port = {"name": "http", "port": 80, "nodePort": 30080, "targetPort": 8080, "protocol": "TCP"}
    spec = {"type": "LoadBalancer", "clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"], "ports": [port]}
    status = {"loadBalancer": {"ingress": list(case.status)}}
    node = {"metadata": {"name": "node1"}, "spec": {"providerID": case.node}}
    return cluster_of(
        {
            "services": [{"metadata": meta, "spec": spec | case.spec, "status": status}],
            "nodes": [node],
            "targetgroupbindings": list(case.groups),
        }
    )


def found(case: Case) -> Balancer | None:
    """Its balancer."""
    own = world(case)
    return balancer_of(own, own.services[0])


by_aws = partial(Case, meta=MADE_BY_AWS, status=(NLB,), provider="AWS Network Load Balancer")
"""What the AWS Load Balancer Controller has made."""
CASES = {
    "AWS, ip targets by annotation": by_aws(
        annotations={f"{AWS}-type": "external", f"{AWS}-nlb-target-type": "ip"},
        arrival=Arrival.POD,
        certain=True,
        says=(
            ("client", False, "replaced by the balancer's"),
            ("health", False, "asks each pod itself: TCP"),
        ),
    ),
    "AWS, the older annotation of ip targets": by_aws(
        annotations={f"{AWS}-type": "nlb-ip", f"{AWS}-proxy-protocol": "*"},
        arrival=Arrival.POD,
        certain=True,
        says=(("proxy_protocol", True, "version 2"),),
    ),
    "AWS, by class alone": by_aws(
        spec={"loadBalancerClass": "service.k8s.aws/nlb"},
        arrival=Arrival.NODE_PORT,
        certain=False,
        says=(
            ("arrival", False, "instance, the default"),
            ("client", False, "its address is kept"),
            ("health", False, "TCP connection to the node port"),
        ),
    ),
    "AWS, what the controller made counts more": by_aws(
        spec={"loadBalancerClass": "service.k8s.aws/nlb"},
        groups=(group("ip"),),
        arrival=Arrival.POD,
        certain=True,
        says=(("arrival", True, "straight at the pods"),),
    ),
    "AWS, attributes of the target group": by_aws(
        annotations={
            f"{AWS}-type": "external",
            f"{AWS}-nlb-target-type": "instance",
            f"{AWS}-target-group-attributes": "preserve_client_ip.enabled=false,proxy_protocol_v2.enabled=true",
        },
        spec={"externalTrafficPolicy": "Local", "healthCheckNodePort": 31000},
        arrival=Arrival.NODE_PORT,
        certain=True,
        says=(
            ("client", True, "replaced by the balancer's"),
            ("proxy_protocol", True, "version 2"),
            ("health", False, "node's port 31000 (healthCheckNodePort)"),
        ),
    ),
    "AWS, the cloud provider's network balancer": Case(
        annotations={f"{AWS}-type": "nlb"},
        meta=CLEANUP,
        status=({"hostname": "a0123456789-0123456789abcdef.elb.eu-west-1.amazonaws.com"},),
        node="aws:///eu-west-1a/i-0123456789",
        provider="AWS Network Load Balancer, by the AWS cloud provider",
        arrival=Arrival.NODE_PORT,
        certain=False,
        says=(("client", False, "its address is kept"),),
    ),
    "AWS, a classic balancer": Case(
        annotations={f"{AWS}-proxy-protocol": "*"},
        meta=CLEANUP,
        status=({"hostname": "a0123456789-1234567890.eu-west-1.elb.amazonaws.com"},),
        node="aws:///eu-west-1a/i-0123456789",
        provider="AWS Classic Load Balancer, by the AWS cloud provider",
        arrival=Arrival.NODE_PORT,
        certain=False,
        says=(("client", False, "replaced by the balancer's"), ("proxy_protocol", True, "version 1")),
    ),
    "Google, passthrough": Case(
        annotations={"service.kubernetes.io/tcp-forwarding-rule": "k8s2-tcp-abc-default-web-xyz"},
        meta={"finalizers": ["gke.networking.io/l4-netlb-v2", "service.kubernetes.io/load-balancer-cleanup"]},
        status=(VIP,),
        node="gce://project/europe-west1-b/gke-node-1",
        provider="Google Cloud passthrough Network Load Balancer",
        arrival=Arrival.VIP,
        certain=False,
        says=(
            ("provider", True, "Google Cloud"),
            ("client", False, "its address is kept"),
            ("health", False, "port 10256, from 35.191.0.0/16"),
        ),
    ),
    "Google, groups of pods": Case(
        annotations={
            "cloud.google.com/neg": '{"ingress":true}',
            "cloud.google.com/neg-status": '{"network_endpoint_groups":{"80":"k8s1-abc-default-web-80-xyz"},'
            '"zones":["europe-west1-b"]}',
        },
        spec={"type": "ClusterIP"},
        node="gce://project/europe-west1-b/gke-node-1",
        provider="Google Cloud load balancer with network endpoint groups",
        arrival=Arrival.POD,
        certain=True,
        says=(("arrival", True, "straight at the pods"), ("health", False, "asks each pod itself")),
    ),
    "Azure, by its nodes": Case(
        meta=CLEANUP,
        status=(VIP,),
        node=ON_AZURE,
        spec={"externalTrafficPolicy": "Local", "healthCheckNodePort": 31000},
        provider="Azure Load Balancer",
        arrival=Arrival.VIP,
        certain=False,
        says=(
            ("provider", False, "Azure"),
            ("arrival", False, "floating IP, the default"),
            ("health", False, "from 168.63.129.16"),
        ),
    ),
    "Azure, without floating IP": Case(
        annotations={
            f"{BETA}/azure-disable-load-balancer-floating-ip": "true",
            f"{BETA}/port_80_health-probe_port": "10254",
        },
        meta=CLEANUP,
        status=(VIP,),
        node=ON_AZURE,
        provider="Azure Load Balancer",
        arrival=Arrival.NODE_PORT,
        certain=True,
        says=(("arrival", True, "floating IP is off"), ("health", True, "from 168.63.129.16")),
    ),
    "DigitalOcean, a network balancer": Case(
        annotations={
            "kubernetes.digitalocean.com/load-balancer-id": "3a0f",
            f"{BETA}/do-loadbalancer-type": "REGIONAL_NETWORK",
        },
        status=(VIP,),
        provider="DigitalOcean load balancer",
        arrival=Arrival.VIP,
        certain=False,
        says=(("provider", True, "DigitalOcean"),),
    ),
    "DigitalOcean, of an unknown type": Case(
        annotations={"kubernetes.digitalocean.com/load-balancer-id": "3a0f"},
        status=(VIP,),
        provider="DigitalOcean load balancer",
        arrival=Arrival.UNKNOWN,
        certain=False,
    ),
    "Hetzner, with PROXY protocol": Case(
        annotations={
            "load-balancer.hetzner.cloud/location": "fsn1",
            "load-balancer.hetzner.cloud/uses-proxyprotocol": "true",
        },
        status=({"ip": "203.0.113.80", "ipMode": "Proxy"},),
        node="hcloud://123456",
        provider="Hetzner load balancer",
        arrival=Arrival.NODE_PORT,
        certain=False,
        says=(("proxy_protocol", True, "PROXY protocol version 2"),),
    ),
    "OpenStack": Case(
        annotations={
            "loadbalancer.openstack.org/load-balancer-id": "0a1b",
            "loadbalancer.openstack.org/proxy-protocol": "v2",
        },
        status=(VIP,),
        node="openstack:///0a1b",
        provider="OpenStack Octavia",
        arrival=Arrival.NODE_PORT,
        certain=False,
        says=(("proxy_protocol", True, "PROXY protocol"),),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_balancer_is_told_by_what_its_controller_wrote(name: str) -> None:
    """Whose it is, where packets come in, and which of it is certain."""
    case = CASES[name]
    balancer = found(case)

    assert balancer is not None
    assert (balancer.provider, balancer.arrival) == (case.provider, case.arrival)
    assert balancer.arrives_for_certain == case.certain
    assert bool(balancer.doubt) == (not case.certain)
    for topic, certain, words in case.says:
        (said,) = (each for each in balancer.statements if each.topic == topic)
        assert (said.certain, words in said.text) == (certain, True), said


@pytest.mark.parametrize("name", CASES)
def test_every_statement_names_its_ground(name: str) -> None:
    """An object of the cluster where it is certain; else somebody's documentation, or the nodes."""
    balancer = found(CASES[name])

    assert balancer is not None
    for each in balancer.statements:
        documented = "documentation" in each.by
        assert each.by
        assert documented != each.certain or each.topic == "provider"


@pytest.mark.parametrize(
    "case",
    [
        {"spec": {"loadBalancerClass": "metallb.io/metallb"}, "node": "aws:///eu-west-1a/i-01"},
        {"annotations": {"metallb.io/ip-allocated-from-pool": "office"}, "node": ON_AZURE},
        {"spec": {"type": "NodePort"}, "node": ON_AZURE},
        {"annotations": {"cloud.google.com/neg-status": "no JSON"}, "spec": {"type": "ClusterIP"}},
        {"annotations": {"cloud.google.com/neg-status": "[1]"}, "spec": {"type": "ClusterIP"}},
        {},
    ],
)
def test_what_is_no_clouds_is_not_said_to_be(case: dict[str, Any]) -> None:
    """Somebody else's class, MetalLB on a cloud's machines, no balancer at all, or what nobody would write."""
    assert found(Case(**case, provider="", arrival=Arrival.UNKNOWN, certain=False)) is None
