"""Makes the recordings that the stories ask: `make stories`, as root.

For each recording a cluster of the test bed gets the objects of all its stories, and real connections are made to every
Service of theirs, before its nodes are recorded.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cluster.prediction import run_program
from cluster.stage import install_agent
from scenarios.clusters import CLUSTERS
from scenarios.story import RECORDINGS, Server, Story, stories

from testbed.cluster import Cluster, is_ready
from testbed.images import AGNHOST
from testbed.kube import Kube
from testbed.waiting import wait_until

Manifest = dict[str, Any]


def pod(server: Server) -> Manifest:
    """A pod with one container for each port."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": server.namespace, "name": server.name, "labels": dict(server.labels)},
        "spec": {
            "nodeName": server.node,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "containers": [_container(each) for each in server.ports],
        },
    }


def _container(port: int) -> Manifest:
    return {
        "name": f"port-{port}",
        "image": AGNHOST,
        "args": ["netexec", f"--http-port={port}", f"--udp-port={20000 + port}"],
        "ports": [{"containerPort": port}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": port}, "periodSeconds": 1},
    }


def _apply(kube: Kube, objects: Iterable[Manifest]) -> None:
    """Also their status, which only controllers may write otherwise."""
    for each in objects:
        status = each.get("status")
        kube.apply({key: value for key, value in each.items() if key != "status"})
        if status:
            named = {key: each[key] for key in ("apiVersion", "kind", "metadata")}
            kube.patch(named | {"status": status}, subresource="status")


def _namespaces(told: Iterable[Story]) -> Iterator[str]:
    for story in told:
        yield from (each.namespace for each in story.servers)
        yield from (
            each["metadata"]["namespace"] for each in story.objects if "namespace" in each["metadata"]
        )


def set_up(cluster: Cluster, told: list[Story]) -> None:
    """All objects and servers, until every server is ready and every node knows it."""
    spaces = sorted(set(_namespaces(told)))
    for name in spaces:
        if name not in {each["metadata"]["name"] for each in cluster.kube.list("Namespace")}:
            cluster.create_namespace(name)
    for story in told:
        cluster.kube.delete(*(each for each in story.objects if each["kind"] in {"Gateway", "Service"}))
        cluster.kube.apply(*(pod(each) for each in story.servers))
        _apply(cluster.kube, story.objects)

    def ready() -> bool:
        return all(is_ready(each) for name in spaces for each in cluster.kube.list("Pod", name))

    wait_until("the servers are ready", ready)


def record(name: str, told: list[Story]) -> None:
    """One recording."""
    make: Callable[[str], Cluster] = CLUSTERS[name]
    cluster = make(f"story-{name}"[:11])
    install_agent(cluster)
    set_up(cluster, told)
    wait_until("kube-proxy knows all", lambda: _is_answered(cluster, told), timeout_seconds=60)
    file = RECORDINGS / f"{name}.packetpath"
    run_program("snapshot", "save", str(file), "--yes", "--kubeconfig", str(cluster.kubeconfig))


def _is_answered(cluster: Cluster, told: list[Story]) -> bool:
    """Whether real connections from each node to each ClusterIP with endpoints are answered."""
    urls = [url for story in told for each in story.objects for url in _urls(cluster.kube, each)]
    script = "for url; do curl -sS -o /dev/null -m 2 $url || exit 1; done"
    return all(not node.attempt(["sh", "-c", script, "sh", *urls]).code for node in cluster.nodes)


def _urls(kube: Kube, given: Manifest) -> Iterator[str]:
    if given["kind"] != "Service" or not given["spec"].get("selector"):
        return
    meta = given["metadata"]
    labels = f"kubernetes.io/service-name={meta['name']}"
    slices = kube.list("EndpointSlice", meta["namespace"], api="discovery.k8s.io/v1", labels=labels)
    spec = kube.get("Service", meta["name"], meta["namespace"])["spec"]
    if any(each.get("endpoints") for each in slices) and spec["clusterIP"] != "None":
        yield from (f"http://{spec['clusterIP']}:{port['port']}/" for port in spec["ports"])


def main(names: list[str]) -> None:
    """Record these, or all; the clusters go down afterwards unless PACKETPATH_KEEP is set."""
    found: dict[str, list[Story]] = {}
    for story in stories():
        found.setdefault(story.recording, []).append(story)
    RECORDINGS.mkdir(exist_ok=True)
    for name, told in found.items():
        if not names or name in names:
            record(name, told)


if __name__ == "__main__":
    main(sys.argv[1:])
