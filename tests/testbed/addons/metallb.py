"""MetalLB: gives Services of the type LoadBalancer addresses of the nodes' own network, and answers ARP for them.

No memberlist: all nodes count as alive.
"""

import re
from typing import Any

from testbed import build
from testbed.addons.parts import (
    Manifest,
    account,
    archive,
    install_resources,
    wait_ready,
    workload,
)
from testbed.cluster import Cluster
from testbed.images import program_path
from testbed.modules import custom_resources, module_folder
from testbed.oci import Image
from testbed.workloads import namespace

NAMESPACE = "metallb-system"
CONTROLLER, SPEAKER = "localhost/metallb-controller:1", "localhost/metallb-speaker:1"
POOL = "172.30.1.200-172.30.1.219"
"""Addresses of the first segment that no node has."""


def install(cluster: Cluster, *, pool: str = POOL) -> None:
    """Install it, with one pool that is announced by ARP."""
    build.build("metallb")
    key = build.program_set("metallb").key
    for name, program in ((CONTROLLER, "controller"), (SPEAKER, "speaker")):
        files = {program: program_path("metallb", program)}
        cluster.load_image(archive(Image(name=name, entrypoint=(f"/{program}",), files=files), key))
    source = module_folder("metallb", "go.universe.tf/metallb")
    install_resources(cluster, custom_resources(source / "config" / "crd" / "bases", _without_bounds))
    cluster.kube.apply(
        namespace(NAMESPACE),
        *account(NAMESPACE, "metallb"),
        _controller(),
        _speakers(),
        *pool_objects(pool),
    )
    wait_ready(cluster, "Deployment", NAMESPACE, "controller")
    wait_ready(cluster, "DaemonSet", NAMESPACE, "speaker")


def _without_bounds(text: str) -> str:
    """Newer API servers refuse a maximum that does not fit the format int32."""
    return re.sub(r"\n *format: int32", "", text)


def _environment(**fields: str) -> list[dict[str, Any]]:
    return [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()]


def _controller() -> Manifest:
    container = {
        "name": "controller",
        "image": CONTROLLER,
        "args": [f"--namespace={NAMESPACE}", "--webhook-mode=disabled", "--port=7472"],
        "readinessProbe": {"httpGet": {"path": "/metrics", "port": 7472}, "periodSeconds": 1},
    }
    pod = {"serviceAccountName": "metallb", "containers": [container]}
    return workload("Deployment", NAMESPACE, "controller", pod, {"app": "metallb", "component": "controller"})


def _speakers() -> Manifest:
    container = {
        "name": "speaker",
        "image": SPEAKER,
        "args": [f"--namespace={NAMESPACE}", "--port=7472", "--log-level=info"],
        "env": [
            {"name": "METALLB_BGP_TYPE", "value": "native"},
            *_environment(
                METALLB_NODE_NAME="spec.nodeName",
                METALLB_POD_NAME="metadata.name",
                METALLB_HOST="status.hostIP",
            ),
        ],
        "securityContext": {"capabilities": {"add": ["NET_RAW"]}},
        "readinessProbe": {"httpGet": {"path": "/metrics", "port": 7472}, "periodSeconds": 1},
    }
    pod = {"serviceAccountName": "metallb", "hostNetwork": True, "containers": [container]}
    return workload("DaemonSet", NAMESPACE, "speaker", pod, {"app": "metallb", "component": "speaker"})


def pool_objects(addresses: str) -> list[Manifest]:
    """The pool, and that it is announced by ARP."""
    meta = {"namespace": NAMESPACE, "name": "bed"}
    return [
        {
            "apiVersion": "metallb.io/v1beta1",
            "kind": "IPAddressPool",
            "metadata": meta,
            "spec": {"addresses": [addresses]},
        },
        {
            "apiVersion": "metallb.io/v1beta1",
            "kind": "L2Advertisement",
            "metadata": meta,
            "spec": {"ipAddressPools": ["bed"]},
        },
    ]
