"""What add-ons have in common: images of several files, custom resources from a module, rights, readiness."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from testbed import build
from testbed.cluster import Cluster
from testbed.oci import Image
from testbed.waiting import wait_until

Manifest = dict[str, Any]


def archive(image: Image, key: str) -> Path:
    """The image as a file, packed once for each key."""
    short = image.name.rpartition("/")[2].partition(":")[0]
    file = build.cache_folder() / "images" / f"{short}-{key}.tar"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_name(f".{file.name}.{os.getpid()}")
        image.pack(unfinished)
        unfinished.rename(file)
    return file


def install_resources(cluster: Cluster, found: Iterator[Manifest]) -> None:
    """Apply them and wait until the API server serves them."""
    names = [each["metadata"]["name"] for each in cluster.kube.apply(*found)]
    api = "apiextensions.k8s.io/v1"

    def served() -> bool:
        objects = [cluster.kube.get("CustomResourceDefinition", name, api=api) for name in names]
        return all(_is_true(each, "Established") for each in objects)

    wait_until("the custom resources are served", served)


def _is_true(given: Mapping[str, Any], kind: str) -> bool:
    conditions = given.get("status", {}).get("conditions") or []
    return any(each["type"] == kind and each["status"] == "True" for each in conditions)


def account(namespace: str, name: str) -> list[Manifest]:
    """A service account that may do anything: this is a test bed."""
    rbac = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": namespace, "name": name}},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"{namespace}-{name}"},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": name}],
        },
    ]


def workload(kind: str, namespace: str, name: str, pod: Manifest, labels: Mapping[str, str]) -> Manifest:
    """A Deployment of one pod, or a DaemonSet."""
    spec: Manifest = {
        "selector": {"matchLabels": dict(labels)},
        "template": {
            "metadata": {"labels": dict(labels)},
            "spec": {"terminationGracePeriodSeconds": 0, "tolerations": [{"operator": "Exists"}]} | pod,
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"namespace": namespace, "name": name, "labels": dict(labels)},
        "spec": spec | ({"replicas": 1} if kind == "Deployment" else {}),
    }


def wait_ready(cluster: Cluster, kind: str, namespace: str, name: str) -> None:
    """Until all its pods are ready."""

    def ready() -> bool:
        found = cluster.kube.get(kind, name, namespace, api="apps/v1")
        status = found.get("status", {})
        wanted = status.get("desiredNumberScheduled", found["spec"].get("replicas", 0))
        seen = status.get("numberReady", status.get("readyReplicas", 0))
        fresh = status.get("observedGeneration") == found["metadata"]["generation"]
        return bool(fresh and wanted and seen >= wanted)

    wait_until(f"{name} is ready", ready, timeout_seconds=90)
