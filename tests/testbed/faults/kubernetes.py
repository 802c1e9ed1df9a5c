"""Kubernetes' own parts that do not do their work: kube-proxy, and pods that are too few or not ready."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from testbed.control import Node
from testbed.faults.base import Mend
from testbed.kube import Kube
from testbed.waiting import wait_until
from testbed.workloads import GATE


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyKilled:
    """kube-proxy is gone: its rules stay as they were."""

    node: Node

    def apply(self) -> Mend:
        """Killed outright; later it starts again."""
        proxy = self.node.runtime.kube_proxy()
        if proxy is None:
            raise LookupError(f"{self.node.name} has no kube-proxy.")
        proxy.kill()
        return proxy.start


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyFrozen:
    """kube-proxy hangs: it runs, and does nothing."""

    node: Node

    def apply(self) -> Mend:
        """By the freezer of its control group, which a SIGCONT does not undo."""
        proxy = self.node.runtime.kube_proxy()
        if proxy is None:
            raise LookupError(f"{self.node.name} has no kube-proxy.")
        proxy.freeze(frozen=True)
        return partial(proxy.freeze, frozen=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyTold:
    """kube-proxy starts anew with other settings."""

    node: Node
    settings: Mapping[str, Any]
    """Fields of KubeProxyConfiguration."""

    def apply(self) -> Mend:
        """Both ways by its file."""
        file = self.node.runtime.folder / "kube-proxy.yaml"
        before = file.read_text()

        def tell(text: str) -> None:
            proxy = self.node.runtime.kube_proxy()
            if proxy is None:
                raise LookupError(f"{self.node.name} has no kube-proxy.")
            proxy.kill()
            file.write_text(text)
            proxy.start()

        tell(json.dumps(json.loads(before) | dict(self.settings), indent=1))
        return partial(tell, before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """A Deployment has another number of pods."""

    kube: Kube
    namespace: str
    name: str
    replicas: int

    def apply(self) -> Mend:
        """Waits until that many are ready, both ways."""
        api = {"apiVersion": "apps/v1", "kind": "Deployment"}
        before = self.kube.get("Deployment", self.name, self.namespace, api="apps/v1")["spec"]["replicas"]

        def scale(replicas: int) -> None:
            metadata = {"name": self.name, "namespace": self.namespace}
            self.kube.patch(api | {"metadata": metadata, "spec": {"replicas": replicas}})
            wait_until(f"{self.name} has {replicas} pods", partial(self._has, replicas))

        scale(self.replicas)
        return partial(scale, before)

    def _has(self, replicas: int) -> bool:
        seen = self.kube.get("Deployment", self.name, self.namespace, api="apps/v1")
        status: dict[str, Any] = seen.get("status", {})
        counts = (status.get("replicas", 0), status.get("readyReplicas", 0))
        return (
            counts == (replicas, replicas) and status["observedGeneration"] == seen["metadata"]["generation"]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationChanged:
    """An annotation of a Node says something else, which a pod network may go by."""

    kube: Kube
    node: str
    name: str
    value: str

    def apply(self) -> Mend:
        """It says again what it said."""
        before = self.kube.get("Node", self.node)["metadata"]["annotations"][self.name]
        self._annotate(self.value)
        return partial(self._annotate, before)

    def _annotate(self, value: str) -> None:
        metadata = {"name": self.node, "annotations": {self.name: value}}
        self.kube.patch({"apiVersion": "v1", "kind": "Node", "metadata": metadata})


@dataclass(frozen=True, slots=True, kw_only=True)
class PodUnready:
    """A pod says that it is not ready, while it runs and would answer. It must have a gate (`Server(gated=True)`)."""

    kube: Kube
    namespace: str
    name: str

    def apply(self) -> Mend:
        """Its gate closes."""
        set_gate(self.kube, self.namespace, self.name, open_=False)
        return partial(set_gate, self.kube, self.namespace, self.name, open_=True)


def set_gate(kube: Kube, namespace: str, name: str, *, open_: bool) -> None:
    """Open or close the gate of a pod, and wait until the pod is as ready as it now should be."""
    wanted = str(open_)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}}
    seen = kube.get("Pod", name, namespace)["status"].get("conditions", [])
    others = [each for each in seen if each["type"] != GATE]
    gate = {"type": GATE, "status": wanted}
    kube.patch(pod | {"status": {"conditions": [*others, gate]}}, subresource="status")

    def shows() -> bool:
        conditions = kube.get("Pod", name, namespace)["status"].get("conditions", [])
        return any(each["type"] == "Ready" and each["status"] == wanted for each in conditions)

    wait_until(f"pod {name} is ready: {wanted}", shows)
