"""What is done once for a cluster, before anything of it runs: wires, certificates, configuration."""

from typing import Any

from testbed.addresses import AddressPlan
from testbed.component import Component
from testbed.controlplane import ControlPlane
from testbed.networks import network
from testbed.networks.base import NetworkDaemon, RunsOnRouter
from testbed.node import NodeRuntime
from testbed.pki import kubeconfig
from testbed.spec import NodeSpec
from testbed.state import Record, State
from testbed.wiring import ROUTER, Wiring

ATTACH_DETACH = "volumes.kubernetes.io/controller-managed-attach-detach"
ZONE = "topology.kubernetes.io/zone"


def lay_out(record: Record) -> None:
    """Everything that is done once: wires, certificates, configuration."""
    state, plan = State(name=record.spec.name), AddressPlan(spec=record.spec)
    wiring = Wiring(plan=plan)
    wiring.create(record.kubectl_link)
    wiring.namespace(ROUTER).ip(*network(plan.spec.network).router_routes(plan))
    if (daemon := on_router(state, plan)) is not None:
        daemon.write_files()
    ControlPlane(state=state, record=record, plan=plan).write_identities()
    state.write("kubeconfigs/admin-inside", kubeconfig(state.pki, "admin", plan.api_url))
    for node in record.spec.nodes:
        NodeRuntime(state=state, plan=plan, spec=node).prepare()


def on_router(state: State, plan: AddressPlan) -> NetworkDaemon | None:
    """The pod network's program on the router, or None."""
    chosen = network(plan.spec.network)
    return chosen.router_daemon(plan, state.folder) if isinstance(chosen, RunsOnRouter) else None


def router_components(state: State, plan: AddressPlan) -> tuple[Component, ...]:
    """What runs on the router."""
    daemon = on_router(state, plan)
    if daemon is None:
        return ()
    router = Component(
        state=state,
        place=ROUTER,
        name=daemon.name,
        prefix=tuple(Wiring(plan=plan).namespace(ROUTER).enter),
        command=daemon.command,
        environment={},
    )
    return (router,)


def node_object(plan: AddressPlan, node: NodeSpec) -> dict[str, Any]:
    """The kubelet finds its Node already there, with a range for pods that follows from the description."""
    ranges = [str(plan.pods_of(node, version)) for version in plan.versions]
    labels = {"kubernetes.io/hostname": node.name} | ({ZONE: node.zone} if node.zone else {})
    return {
        "apiVersion": "v1",
        "kind": "Node",
        # The kubelet sets this annotation too. flannel ends where there is none at all.
        "metadata": {"name": node.name, "labels": labels, "annotations": {ATTACH_DETACH: "true"}},
        "spec": {"podCIDR": ranges[0], "podCIDRs": ranges},
    }
