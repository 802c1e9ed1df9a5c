"""The client's own ways with a real cluster: asking before it installs, the rights that it needs, recordings."""

import json
import os
import subprocess
from functools import partial
from pathlib import Path

import pytest
import yaml
from cluster.prediction import PROGRAM, packetpath, run_program
from cluster.stage import install_agent

from testbed.cluster import Cluster
from testbed.control import Place
from testbed.traffic import attempt, pods_reached
from testbed.waiting import wait_until
from testbed.workloads import Server

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.bed(nodes=2, family="dual", proxies={"node2": "nftables"}, network="bridge"),
]
ROLE = Path(__file__).parents[2] / "manifests" / "client-role.yaml"


def kubectl(cluster: Cluster, *words: str) -> subprocess.CompletedProcess[str]:
    """Stock kubectl, with our program in its path."""
    path = f"{PROGRAM.parent}:{os.environ['PATH']}"
    environment = os.environ | {"KUBECONFIG": str(cluster.kubeconfig), "PATH": path}
    return subprocess.run(
        ["kubectl", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def serve(cluster: Cluster, namespace: str) -> None:
    """A Service with a server behind it, and every node's kube-proxy knows it."""
    server = Server(name="web", namespace=namespace)
    cluster.kube.apply(server.deployment(1), server.service())
    address = cluster.kube.get("Service", "web", namespace)["spec"]["clusterIP"]
    for name in ("node1", "node2"):
        place = cluster.node(name)
        wait_until(
            f"{name} reaches the Service",
            partial(_reached, place, address),
        )


def _reached(place: Place, address: str) -> bool:
    return bool(pods_reached(attempt(place, address, 80, count=1, timeout_seconds=0.5)))


def test_a_script_is_told_how_to_install(cluster: Cluster, namespace: str) -> None:
    """A DaemonSet with such rights is never installed in silence."""
    serve(cluster, namespace)
    run_program("agent", "remove", "--yes", "--kubeconfig", str(cluster.kubeconfig))

    said = packetpath(cluster, "svc/web", "-n", namespace, expect=4)

    assert "agent install --yes" in said.err
    assert cluster.kube.list("DaemonSet", "packetpath-system", api="apps/v1") == []


def test_the_documented_rights_suffice(cluster: Cluster, namespace: str) -> None:
    """With the role of manifests/client-role.yaml and nothing else, a question is answered."""
    serve(cluster, namespace)
    install_agent(cluster)
    role, local, *_ = yaml.safe_load_all(ROLE.read_text())
    for given in (role, local):
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": f"{given['kind']}Binding",
            "metadata": given["metadata"],
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": given["kind"],
                "name": given["metadata"]["name"],
            },
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "viewer"}],
        }
        cluster.kube.apply(given, binding)

    words = ("svc/web:http", "-n", namespace, "--as", "viewer")
    said = wait_until("the rights count", lambda: _answered(packetpath(cluster, *words)))

    assert said
    assert packetpath(cluster, "svc/web:http", "-n", namespace, "--as", "nobody").code == 4


def _answered(said: object) -> object | None:
    return said if getattr(said, "code", 4) == 0 else None


def test_a_recording_answers_like_the_cluster(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """Whole recordings and narrowed answers give the same paths."""
    serve(cluster, namespace)
    install_agent(cluster)
    file = tmp_path / "b.zip"
    run_program("snapshot", "save", str(file), "--kubeconfig", str(cluster.kubeconfig))

    words = ("svc/web:http", "-n", namespace, "--from", "node/node1")
    live = packetpath(cluster, *words, expect=0)
    recorded = run_program(*words, "--bundle", str(file), "-o", "json", expect=0)

    assert [_ends(way) for way in recorded.ways] == [_ends(way) for way in live.ways]


def _ends(way: dict[str, object]) -> str:
    paths = way["paths"]
    assert isinstance(paths, list)
    return json.dumps([(path["weight"], path["verdict"], path["packet"], path["reason"]) for path in paths])


def test_stock_kubectl_finds_the_plugin(cluster: Cluster, namespace: str) -> None:
    """`kubectl packetpath`, with kubectl's own ways of naming cluster and namespace."""
    serve(cluster, namespace)
    install_agent(cluster)

    done = kubectl(cluster, "packetpath", "svc/web:http", "-n", namespace, "--from", "node/node1")

    assert done.returncode == 0, done.stderr
    assert f"{namespace}/web:http" in done.stdout
