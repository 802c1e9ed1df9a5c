"""Where a running cluster keeps its files, and what is remembered of it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Self

from testbed.build import cache_folder
from testbed.cgroups import PREFIX, Group
from testbed.spec import ClusterSpec

STATES = Path("/var/tmp/packetpath-testbed")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The files of one cluster. They outlive a crash, but nothing in them is needed to clean up."""

    name: str

    @property
    def folder(self) -> Path:
        """Everything is below it."""
        return STATES / self.name

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.folder / "pki"

    @property
    def kubeconfig(self) -> Path:
        """For `kubectl` on this machine."""
        return self.folder / "kubeconfig"

    @property
    def logs(self) -> Path:
        """What each component wrote."""
        return self.folder / "logs"

    def log(self, component: str) -> Path:
        """What one component wrote; its name is such as `node1/kubelet`."""
        return self.logs / f"{component.replace('/', '-')}.log"

    def node(self, name: str) -> Path:
        """A node's files."""
        return self.folder / "nodes" / name

    @property
    def group(self) -> Group:
        """The control group that all its processes are in."""
        return Group(path=f"{PREFIX}{self.name}")

    def write(self, relative: str, content: str) -> Path:
        """Write one of the cluster's files."""
        path = self.folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What `up` decided, for those who come later."""

    spec: ClusterSpec
    kubectl_link: IPv4Network
    finished: bool = False
    """Whether the cluster was ready once."""

    def save(self, state: State) -> None:
        """Write it; a reader sees the old or the new one."""
        content = {
            "spec": self.spec.to_json(),
            "kubectl_link": str(self.kubectl_link),
            "finished": self.finished,
        }
        unfinished = state.write(f".cluster.json.{os.getpid()}", json.dumps(content, indent=1))
        unfinished.rename(state.folder / "cluster.json")

    @classmethod
    def load(cls, state: State) -> Self | None:
        """Read it; None when there is none that can be read."""
        try:
            content = json.loads((state.folder / "cluster.json").read_text())
            return cls(
                spec=ClusterSpec.from_json(content["spec"]),
                kubectl_link=IPv4Network(content["kubectl_link"]),
                finished=content["finished"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Two runs for the same cluster wait for each other."""
    lock_file = cache_folder() / "locks" / name
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
