"""Clusters of other shapes: two subnets, IPv6 alone, cluster DNS, host ports, load balancer addresses, no proxy."""

from ipaddress import ip_network
from typing import Any

import pytest

from testbed.cluster import Cluster, is_ready
from testbed.netns import CommandError, succeed
from testbed.traffic import Reached, connect
from testbed.waiting import wait_until
from testbed.workloads import TCP_PORT, Server

pytestmark = pytest.mark.cluster
wide = pytest.mark.bed(nodes=3, subnets=2, network="ptp", family="dual", dns=True, proxies={"node2": "none"})
"""node1 and node2 on the first subnet, node3 on the second; no proxy on node2."""


def started(cluster: Cluster, server: Server, **changes: Any) -> None:
    """Run one pod of a server, and wait until it is ready."""
    pod = server.pod()
    pod["spec"]["containers"][0] |= changes
    cluster.kube.apply(pod)
    wait_until(
        f"{server.name} is ready", lambda: is_ready(cluster.kube.get("Pod", server.name, server.namespace))
    )


@wide
@pytest.mark.parametrize("version", [4, 6])
def test_pods_across_subnets(cluster: Cluster, namespace: str, version: int) -> None:
    """A pod reaches a pod beyond the router, which sees its address."""
    for node in ("node1", "node3"):
        started(cluster, Server(name=node, namespace=namespace, node=node))
    near, far = cluster.pod(namespace, "node1"), cluster.pod(namespace, "node3")
    result = connect(near, far.address(version), TCP_PORT)
    assert isinstance(result, Reached)
    assert (far.name, near.address(version)) == (result.pod, result.client_address)


@pytest.mark.bed(nodes=2, subnets=2, network="flannel-vxlan", family="dual")
@pytest.mark.parametrize("version", [4, 6])
def test_tunnel_across_subnets(cluster: Cluster, namespace: str, version: int) -> None:
    """A tunnel crosses the router, which knows nothing of pods."""
    for node in ("node1", "node2"):
        started(cluster, Server(name=node, namespace=namespace, node=node))
    near, far = cluster.pod(namespace, "node1"), cluster.pod(namespace, "node2")
    assert isinstance(connect(near, far.address(version), TCP_PORT), Reached)
    assert "10.244." not in cluster.router.run(["ip", "route"])


@pytest.mark.bed(nodes=2, network="bridge", family="ipv6", proxy="nftables")
def test_ipv6_alone(cluster: Cluster, namespace: str) -> None:
    """A cluster without IPv4 serves pods, nodes and clients outside."""
    server = Server(name="server", namespace=namespace, node="node2")
    started(cluster, server)
    started(cluster, Server(name="client", namespace=namespace, node="node1"))
    service = cluster.kube.apply(server.service(type="NodePort"))[0]["spec"]
    client, port = cluster.pod(namespace, "client"), service["ports"][0]["nodePort"]
    wait_until("a pod reaches it", lambda: isinstance(connect(client, service["clusterIP"], 80), Reached))
    address = cluster.node("node1").address(6)
    wait_until(
        "a client outside reaches it", lambda: isinstance(connect(cluster.outside, address, port), Reached)
    )


@wide
def test_names(cluster: Cluster, namespace: str) -> None:
    """A pod finds a Service by its name."""
    server = Server(name="server", namespace=namespace, node="node1")
    started(cluster, server)
    cluster.kube.apply(server.service())
    kubectl = ["kubectl", f"--kubeconfig={cluster.kubeconfig}", "-n", namespace, "exec", "server", "--"]
    name = f"server.{namespace}.svc.cluster.local:80"

    def found() -> bool:
        try:
            succeed([*kubectl, "/agnhost", "connect", name, "--timeout=2s"])
        except CommandError:
            return False
        return True

    wait_until(f"a pod connects to {name}", found)


@wide
def test_host_port(cluster: Cluster, namespace: str) -> None:
    """A hostPort of a pod is reached at its node."""
    server = Server(name="server", namespace=namespace, node="node3")
    started(cluster, server, ports=[{"containerPort": TCP_PORT, "hostPort": 9999}])
    result = connect(cluster.outside, cluster.node("node3").address(), 9999)
    assert isinstance(result, Reached)
    assert ("server", cluster.plan.client(4)) == (result.pod, result.client_address)


@wide
def test_load_balancer_address(cluster: Cluster, namespace: str) -> None:
    """A load balancer's address works once the Service has it and the router knows the nodes."""
    server = Server(name="server", namespace=namespace, node="node3")
    started(cluster, server)
    service = server.service(type="LoadBalancer")
    cluster.kube.apply(service)
    vip = cluster.plan.vips(4)[7]
    status = {"loadBalancer": {"ingress": [{"ip": str(vip), "ipMode": "VIP"}]}}
    cluster.kube.patch(service | {"status": status}, subresource="status")
    cluster.route_from_outside(ip_network(f"{vip}/32"), cluster.node("node1"), cluster.node("node3"))
    wait_until(
        "the client outside reaches it", lambda: isinstance(connect(cluster.outside, vip, 80), Reached)
    )


@wide
def test_no_proxy(cluster: Cluster, namespace: str) -> None:
    """A node without a proxy knows no Services; the others do."""
    server = Server(name="server", namespace=namespace, node="node1")
    started(cluster, server)
    address = cluster.kube.apply(server.service())[0]["spec"]["clusterIP"]
    wait_until("node1 knows it", lambda: isinstance(connect(cluster.node("node1"), address, 80), Reached))
    assert not isinstance(connect(cluster.node("node2"), address, 80), Reached)
