"""A cluster: brought up, mended, found again, taken down."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from testbed import build, dns, images, machine, sweep
from testbed.addresses import AddressPlan, Network
from testbed.component import Component, ComponentDiedError
from testbed.control import Node, Place, Pod, bystander
from testbed.controlplane import ControlPlane
from testbed.kube import Kube, KubeError
from testbed.layout import lay_out, node_object, router_components
from testbed.networks import network
from testbed.node import NodeRuntime
from testbed.spec import ClusterSpec
from testbed.state import Record, State, alone
from testbed.waiting import DeadlineError, wait_until
from testbed.wiring import OUTSIDE, ROUTER, Wiring, free_kubectl_link

MACHINE = "_machine"
"""The name under which the whole machine is locked; no cluster can have it."""


MOST_STARTS = 3
"""Of an API server that does not become ready."""


class NoClusterError(Exception):
    """There is no cluster with this name, or it is not what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster that is up, or being brought up."""

    record: Record
    kube: Kube

    @property
    def spec(self) -> ClusterSpec:
        """What it is like."""
        return self.record.spec

    @property
    def state(self) -> State:
        """Its files."""
        return State(name=self.spec.name)

    @property
    def plan(self) -> AddressPlan:
        """Its addresses."""
        return AddressPlan(spec=self.spec)

    @property
    def kubeconfig(self) -> Path:
        """For `kubectl` on this machine."""
        return self.state.kubeconfig

    @property
    def control_plane(self) -> ControlPlane:
        """What decides in it."""
        return ControlPlane(state=self.state, record=self.record, plan=self.plan)

    @property
    def runtimes(self) -> tuple[NodeRuntime, ...]:
        """The programs of its nodes."""
        return tuple(NodeRuntime(state=self.state, plan=self.plan, spec=node) for node in self.spec.nodes)

    def node(self, name: str) -> Node:
        """One node, to run things on."""
        return Node.at(NodeRuntime(state=self.state, plan=self.plan, spec=self.spec.node(name)))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, to run things on."""
        return tuple(Node.at(runtime) for runtime in self.runtimes)

    def pod(self, namespace: str, name: str) -> Pod:
        """A running pod's network namespace, to run things in."""
        return Pod.find(self.kube, self.state.group, namespace, name)

    @property
    def outside(self) -> Place:
        """The client that is no part of the cluster."""
        return bystander(OUTSIDE, Wiring(plan=self.plan).namespace(OUTSIDE))

    @property
    def router(self) -> Place:
        """The router between the node subnets and the network outside."""
        return bystander(ROUTER, Wiring(plan=self.plan).namespace(ROUTER))

    def components(self) -> tuple[Component, ...]:
        """Every program of the cluster."""
        return (
            *self.control_plane.components(),
            *router_components(self.state, self.plan),
            *(each for node in self.runtimes for each in node.components()),
        )

    @classmethod
    def load(cls, name: str) -> "Cluster":
        """A cluster that is up."""
        record = Record.load(State(name=name))
        if record is None or not record.finished:
            raise NoClusterError(
                f"There is no cluster {name!r}: python -m testbed up --name {name} makes one."
            )
        return _opened(record)

    @classmethod
    def up(cls, spec: ClusterSpec) -> "Cluster":
        """Bring a cluster up; or, when it is up already, mend what has ended."""
        pod_network = network(spec.network)
        machine.check(
            machine.why_not_run(), machine.why_not_proxies(spec), machine.why_not_links(pod_network.link_kind)
        )
        if len(spec.subnets) > 1 and not pod_network.crosses_subnets:
            raise ValueError(f"{spec.network} needs all nodes on one subnet.")
        always = [each.name for each in build.program_sets() if each.needed_by_clusters]
        build.build(*always, *pod_network.program_sets)
        with alone(spec.name):
            record = Record.load(State(name=spec.name))
            if record is not None and record.finished and record.spec == spec:
                try:
                    return _brought_up(record)
                except (DeadlineError, ComponentDiedError, OSError, KubeError) as error:
                    build.say(f"{spec.name} cannot be mended ({error}); it is made anew.")
            sweep.remove(State(name=spec.name))
            with alone(MACHINE):
                return _made(spec)

    @classmethod
    def down(cls, name: str) -> None:
        """Remove a cluster, or what is left of it."""
        machine.check(machine.why_not_run())
        with alone(name):
            sweep.remove(State(name=name))

    def wait_ready(self, timeout_seconds: float = 60) -> None:
        """Wait until every node says that it is ready."""
        names = {node.name for node in self.spec.nodes}

        def all_ready() -> bool:
            for component in self.components():
                component.expect_running()
            ready = {node["metadata"]["name"] for node in self.kube.list("Node") if is_ready(node)}
            return names <= ready and self._takes_pods("default") and all(map(_plugs, self.runtimes))

        wait_until(f"the nodes of {self.spec.name} are ready", all_ready, timeout_seconds=timeout_seconds)

    def create_namespace(self, name: str) -> None:
        """Make a Kubernetes namespace, and wait until it takes pods."""
        self.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        wait_until(f"namespace {name} takes pods", lambda: self._takes_pods(name), every_seconds=0.05)

    def _takes_pods(self, namespace: str) -> bool:
        return any(
            each["metadata"]["name"] == "default" for each in self.kube.list("ServiceAccount", namespace)
        )

    def route_from_outside(self, destination: Network, *nodes: Node) -> None:
        """Make the router send packets for such addresses to nodes: load balancer addresses, say."""
        ways = " ".join(f"nexthop via {node.address(destination.version)}" for node in nodes)
        self.router.run(
            ["ip", f"-{destination.version}", "route", "replace", str(destination), *ways.split()]
        )

    def load_image(self, archive: Path) -> None:
        """Give an image to every node."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda node: node.load_images([archive]), self.runtimes))


def _applied(kube: Kube, manifest: Mapping[str, Any]) -> bool:
    """Whether the API server takes it: a kind that was just defined is not known at once."""
    try:
        kube.apply(manifest)
    except KeyError:
        return False
    except KubeError as error:
        if error.code != HTTPStatus.NOT_FOUND:
            raise
        return False
    return True


def _plugs(node: NodeRuntime) -> bool:
    """Whether a node's pod network can take pods, as far as it says."""
    daemon = network(node.plan.spec.network).daemon(node.place)
    return daemon is None or all(sign.exists() for sign in daemon.signs)


def is_ready(thing: Mapping[str, Any]) -> bool:
    """Whether a node or pod has the condition Ready."""
    conditions = thing.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _opened(record: Record) -> Cluster:
    return Cluster(
        record=record, kube=Kube.connect(str(record.kubectl_link[2]), State(name=record.spec.name).pki)
    )


def _made(spec: ClusterSpec) -> Cluster:
    """A new cluster. One at a time: what one is about to take must count when the next one looks for room."""
    machine.check(machine.why_not_another(spec))
    sweep.remember_namespace_folder()
    record = Record(spec=spec, kubectl_link=free_kubectl_link())
    record.save(State(name=spec.name))
    lay_out(record)
    return _brought_up(record)


def _brought_up(record: Record) -> Cluster:
    """Start what does not run, and wait until the nodes are ready."""
    cluster = _opened(record)
    started = time.monotonic()
    archives = list(images.standard(dns=cluster.spec.dns))
    etcd, api_server, *others = cluster.control_plane.components()
    etcd.start()
    api_server.start()

    def start_node(node: NodeRuntime) -> None:
        node.start_machine()
        node.wait_for_containerd()
        if not record.finished:
            node.load_images(archives)

    with ThreadPoolExecutor() as pool:
        nodes = [pool.submit(start_node, node) for node in cluster.runtimes]
        _wait_for_api(cluster.kube, api_server)
        build.say(f"API server ready after {time.monotonic() - started:.1f} s")
        for component in others:
            component.start()
        for manifest in network(cluster.spec.network).manifests(cluster.plan):
            wait_until(f"{manifest['kind']}s are served", partial(_applied, cluster.kube, manifest))
        cluster.kube.apply(*(node_object(cluster.plan, node) for node in cluster.spec.nodes))
        for each in nodes:
            each.result()
    build.say(f"Images loaded after {time.monotonic() - started:.1f} s")
    for component in cluster.components():
        component.start()
    cluster.wait_ready()
    build.say(f"Nodes ready after {time.monotonic() - started:.1f} s")
    if cluster.spec.dns:
        cluster.kube.apply(*dns.manifests(cluster.plan))
        dns.wait_ready(cluster.kube)
    finished = replace(record, finished=True)
    finished.save(cluster.state)
    return replace(cluster, record=finished)


def _wait_for_api(kube: Kube, api_server: Component) -> None:
    """Like a kubelet, start it again when it ends: it does so where its first checks took more than their minute."""
    again = iter(range(MOST_STARTS - 1))

    def ready() -> bool:
        if not api_server.running() and next(again, None) is not None:
            api_server.start()
        api_server.expect_running()
        return kube.ready()

    wait_until("the API server is ready", ready)
