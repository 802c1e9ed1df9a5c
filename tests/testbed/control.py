"""Places in a cluster where a test can run things: a node, a pod's network namespace, outside, the router."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from testbed import machine
from testbed.addresses import Address
from testbed.cgroups import Group
from testbed.kube import Kube
from testbed.netns import CommandError, Namespace
from testbed.node import NodeRuntime
from testbed.waiting import PATIENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Somewhere in the cluster."""

    title: str
    """As people call it, such as `node1` or `default/web-1`."""
    prefix: tuple[str, ...]
    """What to put before a command so that it runs here."""
    network_prefix: tuple[str, ...]
    """The same, entering nothing but the network namespace."""
    path: str = machine.SYSTEM_PATH
    """Where its programs are."""

    def run(self, command: Sequence[str], stdin: str | None = None, timeout_seconds: float = 60) -> str:
        """Run a command here that must succeed; what it printed."""
        done = self.attempt(command, stdin, timeout_seconds)
        if done.code != 0:
            raise CommandError(f"{self.title}: {' '.join(command)} failed ({done.code}): {done.err.strip()}")
        return done.out

    def attempt(self, command: Sequence[str], stdin: str | None = None, timeout_seconds: float = 60) -> Done:
        """Run a command here; how it ended."""
        done = subprocess.run(
            [*self.prefix, "env", f"PATH={self.path}", *command],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds * PATIENCE,
        )
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    def sysctl(self, name: str) -> str:
        """The value of a kernel parameter here; its name is a path below /proc/sys."""
        return self.run(["cat", f"/proc/sys/{name}"]).strip()

    def set_sysctl(self, name: str, value: str | int) -> None:
        """Change a kernel parameter here."""
        self.run(["sh", "-c", f'echo "$1" > "/proc/sys/{name}"', "sh", str(value)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(Place):
    """A node."""

    runtime: NodeRuntime

    @property
    def name(self) -> str:
        """As Kubernetes knows it."""
        return self.runtime.spec.name

    @property
    def pid(self) -> int:
        """Its first process, as the machine counts."""
        return self.runtime.pid

    @property
    def netns(self) -> Path:
        """The file that holds its network namespace, for programs on this machine."""
        return self.runtime.namespace.path

    def address(self, version: int = 4) -> Address:
        """Its own address."""
        return self.runtime.plan.node(self.runtime.spec, version)

    @classmethod
    def at(cls, runtime: NodeRuntime) -> "Node":
        """The node that runs these programs."""
        return cls(
            title=runtime.spec.name,
            prefix=tuple(runtime.enter),
            network_prefix=tuple(runtime.namespace.enter),
            path=runtime.path,
            runtime=runtime,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod(Place):
    """A pod's network namespace, with the machine's programs in it."""

    namespace: str
    name: str
    node: str
    addresses: tuple[Address, ...]
    pid: int
    """A process of the pod, as the machine counts."""

    def address(self, version: int = 4) -> Address:
        """Its address in one IP version."""
        return next(address for address in self.addresses if address.version == version)

    @property
    def netns(self) -> Path:
        """The file that holds its network namespace, for programs on this machine."""
        return Path(f"/proc/{self.pid}/ns/net")

    @classmethod
    def find(cls, kube: Kube, group: Group, namespace: str, name: str) -> "Pod":
        """A pod that runs, in the cluster whose control group this is."""
        seen = kube.get("Pod", name, namespace)
        node = seen["spec"]["nodeName"]
        containers = [each.get("containerID", "") for each in seen["status"].get("containerStatuses", [])]
        pids = [
            pid
            for container in containers
            for pid in group.leaf(f"{node}/k8s.io/{container.removeprefix('containerd://')}").pids()
        ]
        if not pids:
            raise ProcessLookupError(f"No process of pod {namespace}/{name} runs.")
        enter = ("nsenter", f"--net=/proc/{pids[0]}/ns/net")
        return cls(
            title=f"{namespace}/{name}",
            prefix=enter,
            network_prefix=enter,
            namespace=namespace,
            name=name,
            node=node,
            addresses=tuple(ip_address(each["ip"]) for each in seen["status"].get("podIPs", [])),
            pid=pids[0],
        )


def bystander(title: str, namespace: Namespace) -> Place:
    """A place that is no part of the cluster: the client outside, the router."""
    enter = tuple(namespace.enter)
    return Place(title=title, prefix=enter, network_prefix=enter)
