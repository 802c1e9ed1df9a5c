"""Servers for the tests in the virtual machine: one on each node, behind one Service for all and one for each."""

from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address

from testbed.addresses import Address
from testbed.cluster import Cluster, is_ready
from testbed.control import Node, Pod
from testbed.traffic import Reached, attempt, connect, pods_reached
from testbed.waiting import wait_until
from testbed.workloads import Server

NODES = ("node1", "node2")
SPACE = "vm"
TRIES = 8
"""IPVS takes turns (rr), so a few connections see all servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One server on each node, all behind one Service, and each behind one of its own."""

    cluster: Cluster
    pods: dict[str, Pod]
    services: dict[str, dict[int, Address]]
    """Per Service: its ClusterIP in each IP version."""
    node_ports: dict[str, int]

    @property
    def names(self) -> set[str]:
        """All servers."""
        return {pod.name for pod in self.pods.values()}


STAGES: dict[str, Stage] = {}
LOOKING = {"kubelet", "kube-controller-manager", "kube-scheduler"}
"""Programs that look all the time whether there is something to do."""
BALANCED: set[str] = set()


def stage_of(cluster: Cluster) -> Stage:
    """The servers, made once per cluster."""
    if cluster.spec.name not in STAGES:
        STAGES[cluster.spec.name] = _set(cluster)
    return STAGES[cluster.spec.name]


def _set(cluster: Cluster) -> Stage:
    kube = cluster.kube
    cluster.create_namespace(SPACE)
    families = len(cluster.spec.family.versions)
    everyone = Server(name="everyone", namespace=SPACE)
    nobody = everyone.service(name="nobody", families=families, selector={"app": "no-such"}, type="NodePort")
    kube.apply(everyone.service(type="NodePort", families=families), nobody)
    for node in NODES:
        server = Server(name=f"on-{node}", namespace=SPACE, node=node)
        pod = server.pod()
        pod["metadata"]["labels"] = everyone.labels | {"node": node}
        kube.apply(pod, server.service(selector={"node": node}, families=families))
    wait_until("the servers are ready", lambda: all(map(is_ready, kube.list("Pod", SPACE))))
    found = {each["metadata"]["name"]: each["spec"] for each in kube.list("Service", SPACE)}
    addresses = {name: [ip_address(ip) for ip in spec["clusterIPs"]] for name, spec in found.items()}
    return Stage(
        cluster=cluster,
        pods={node: cluster.pod(SPACE, f"on-{node}") for node in NODES},
        services={name: {each.version: each for each in listed} for name, listed in addresses.items()},
        node_ports={each["name"]: each["nodePort"] for each in found["everyone"]["ports"]},
    )


def balanced_stage(cluster: Cluster) -> Stage:
    """The servers, once every node's proxy knows all of them."""
    stage = stage_of(cluster)
    if cluster.spec.name not in BALANCED:
        for node in cluster.nodes:
            for version in cluster.plan.versions:
                wait_until(f"{node.name} knows the servers", partial(_sees_all, stage, node, version))
                wait_until(f"{node.name} masquerades", partial(_sees_itself, stage, node, version))
        BALANCED.add(cluster.spec.name)
    return stage


def _sees_all(stage: Stage, node: Node, version: int) -> bool:
    seen = attempt(node, stage.services["everyone"][version], 80, count=2 * TRIES)
    return set(pods_reached(seen)) == stage.names and all(isinstance(each, Reached) for each in seen)


def _sees_itself(stage: Stage, node: Node, version: int) -> bool:
    """Whether a pod reaches itself: kube-proxy fills the sets for that after the virtual servers."""
    address = stage.services[f"on-{node.name}"][version]
    return isinstance(connect(stage.pods[node.name], address, 80, timeout_seconds=0.5), Reached)


def keep_quiet(cluster: Cluster) -> None:
    """Freeze what a cluster needs only for changes: most of an emulated machine's time goes there, and the tests wait.

    The API still answers, and every kube-proxy still programs.
    """
    for component in cluster.components():
        if component.name in LOOKING:
            component.freeze(frozen=True)
