"""The agent as Kubernetes sees it: installed, ready on which nodes, removed again.

Nothing here happens by itself: the command line asks its user first.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import kubectl_packetpath
from kubectl_packetpath.sources.api import NOT_FOUND, Api, ApiError
from kubectl_packetpath.sources.trouble import UnreachableError

NAMESPACE, NAME = "packetpath-system", "packetpath-agent"
SELECTOR = f"app.kubernetes.io/name={NAME}"
DAEMONSET = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/{NAME}"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
FILES = ("namespace.yaml", "serviceaccount.yaml", "daemonset.yaml")
PATHS = {
    "Namespace": "/api/v1/namespaces/{name}",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts/{name}",
    "DaemonSet": "/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}",
}
RIGHTS = """\
  a DaemonSet packetpath-system/packetpath-agent, one pod on each Linux node, that
  - shares the node's network and process namespaces (hostNetwork, hostPID)
  - has the capabilities NET_ADMIN, NET_RAW, SYS_ADMIN, SYS_PTRACE and DAC_READ_SEARCH,
    to read rules, routes and sockets of the node and of its pods; it changes nothing
  - listens on no port, and has no token and no rights in the Kubernetes API
  with its namespace packetpath-system and a service account"""
"""What is installed, for the person who decides."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPod:
    """One agent."""

    name: str
    node: str
    ready: bool
    reason: str = ""
    """Why it is not ready."""
    image: str = ""
    current: bool = True
    """It runs the image that is installed now."""
    created: str = ""
    """When its pod was made, as the API writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How the installation stands."""

    installed: bool
    image: str = ""
    wanted: int = 0
    pods: tuple[AgentPod, ...] = ()

    @property
    def ready(self) -> bool:
        """Every node that should have an agent has one that answers."""
        return self.installed and self.wanted > 0 and sum(pod.ready for pod in self.pods) >= self.wanted


def status_of(api: Api) -> Status:
    """Look at the DaemonSet and its pods."""
    try:
        found = api.get(DAEMONSET)
    except ApiError as error:
        if error.status == NOT_FOUND:
            return Status(installed=False)
        raise
    containers = found["spec"]["template"]["spec"]["containers"]
    state = found.get("status") or {}
    seen = state.get("observedGeneration", 0) >= found["metadata"].get("generation", 0)
    wanted = int(state.get("desiredNumberScheduled", 0)) if seen else 0
    image = containers[0]["image"]
    return Status(installed=True, image=image, wanted=wanted, pods=tuple(_pods(api, image)))


def nodes_wanted(api: Api) -> tuple[str, ...]:
    """The Linux nodes, each of which should have an agent; none where they may not be listed."""
    try:
        found = api.list("/api/v1/nodes", labelSelector="kubernetes.io/os=linux")
    except ApiError:
        return ()
    return tuple(str(node["metadata"]["name"]) for node in found)


def _pods(api: Api, image: str) -> Iterator[AgentPod]:
    for pod in api.list(PODS, labelSelector=SELECTOR):
        if pod["metadata"].get("deletionTimestamp"):
            continue
        conditions = (pod.get("status") or {}).get("conditions") or ()
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        current = any(c.get("image") == image for c in pod["spec"]["containers"])
        yield AgentPod(
            name=pod["metadata"]["name"],
            node=pod["spec"].get("nodeName", ""),
            ready=ready and current,
            reason="" if ready else _reason(pod),
            image=next((str(c.get("image", "")) for c in pod["spec"]["containers"]), ""),
            current=current,
            created=str(pod["metadata"].get("creationTimestamp", "")),
        )


def _reason(pod: dict[str, Any]) -> str:
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or ():
        state = container.get("state") or {}
        waiting = state.get("waiting") or state.get("terminated") or {}
        if waiting.get("reason"):
            return ": ".join(filter(None, (waiting["reason"], waiting.get("message", ""))))[:200]
    for condition in status.get("conditions") or ():
        if condition.get("status") == "False" and condition.get("message"):
            return str(condition["message"])[:200]
    return str(status.get("phase") or "not started")


def manifests(image: str = "") -> list[dict[str, Any]]:
    """The objects to install, with this image instead of the one in the files."""
    inside = Path(kubectl_packetpath.__file__).parent / "manifests"
    folder = inside if inside.is_dir() else inside.parents[1] / "manifests"
    found = [yaml.safe_load((folder / name).read_text()) for name in FILES]
    if image:
        found[-1]["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return found


def install(api: Api, image: str, timeout_seconds: float, tell: Tell) -> Status:
    """Apply the manifests, and wait until an agent is ready on each node."""
    for manifest in manifests(image):
        meta = manifest["metadata"]
        path = PATHS[manifest["kind"]].format(name=meta["name"], namespace=meta.get("namespace", ""))
        api.apply(path, manifest)
        tell(f"applied {manifest['kind']} {meta['name']}")
    return _wait(api, timeout_seconds, tell)


def _wait(api: Api, timeout_seconds: float, tell: Tell) -> Status:
    deadline = time.monotonic() + timeout_seconds
    told = ""
    while True:
        status = status_of(api)
        ready = sum(pod.ready for pod in status.pods)
        words = f"agents ready: {ready} of {status.wanted or '?'}"
        if words != told:
            tell(words)
            told = words
        if status.ready:
            return status
        if time.monotonic() > deadline:
            late = next((pod for pod in status.pods if not pod.ready), None)
            reason = f"{late.node}: {late.reason}" if late else "no pod was created"
            raise UnreachableError(
                f"The agents are not ready after {timeout_seconds:.0f} s ({reason}).",
                f"kubectl -n {NAMESPACE} describe daemonset,pod; or give the image with --image",
            )
        time.sleep(0.25)


def remove(api: Api, timeout_seconds: float, tell: Tell) -> bool:
    """Take everything away that was installed; False: nothing was there."""
    path = PATHS["Namespace"].format(name=NAMESPACE)
    try:
        api.delete(path)
    except ApiError as error:
        if error.status == NOT_FOUND:
            return False
        raise
    tell(f"deleting namespace {NAMESPACE} and the agents in it")
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        try:
            api.get(path)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return True
            raise
        time.sleep(0.25)
    raise UnreachableError(
        f"Namespace {NAMESPACE} is still being deleted after {timeout_seconds:.0f} s.",
        f"kubectl get namespace {NAMESPACE} -o yaml",
    )
