"""A cluster survives what ends its parts or its maker, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed import sweep
from testbed.cgroups import PREFIX
from testbed.cluster import Cluster
from testbed.component import Component
from testbed.netns import namespaces_named, succeed
from testbed.pool import wait_for_room
from testbed.spec import ClusterSpec
from testbed.state import STATES
from testbed.traffic import Reached, connect
from testbed.waiting import wait_until
from testbed.workloads import Server

pytestmark = pytest.mark.cluster
TESTS = Path(__file__).parents[1]
FOREIGN_PLACES = (
    "/var/lib/kubelet",
    "/var/lib/containerd",
    "/var/lib/cni",
    "/etc/cni",
    "/run/containerd",
    "/run/flannel",
)
HOST_SYSCTLS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a cluster could have changed on this machine, besides things with its name."""

    rules: str
    routes: tuple[str, ...]
    sysctls: tuple[str, ...]
    places: tuple[str, ...]

    @classmethod
    def look(cls) -> "Machine":
        """As it is now, without what other clusters have."""
        rules = (
            succeed(["iptables-nft-save"])
            + succeed(["iptables-legacy-save"])
            + succeed(["nft", "list", "tables"])
        )
        routes = succeed(["ip", "route", "show", "table", "all"]).splitlines()
        return cls(
            rules="\n".join(line for line in rules.splitlines() if not line.startswith("#")),
            routes=tuple(route for route in routes if f"dev {PREFIX}" not in route),
            sysctls=tuple(Path(f"/proc/sys/{name}").read_text() for name in HOST_SYSCTLS),
            places=tuple(place for place in FOREIGN_PLACES if Path(place).exists()),
        )


def traces(name: str) -> list[str]:
    """Whatever on this machine mentions a cluster of this name."""
    found = [namespace.name for namespace in namespaces_named(f"{PREFIX}{name}-")]
    for command in (["mount"], ["ip", "link"], ["ps", "-ww", "-eo", "args"]):
        found += [
            line
            for line in succeed(command).splitlines()
            if f"{PREFIX}{name}" in line or str(STATES / name) in line
        ]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{PREFIX}{name}")]
    return found + [str(path) for path in STATES.glob(f"{name}*")]


def small(name: str) -> ClusterSpec:
    """The quickest cluster there is."""
    return ClusterSpec.of(name, 1)


@pytest.fixture
def name() -> Iterator[str]:
    """A name for a cluster of the test's own; what is left of it goes away in the end."""
    name = f"r{os.getpid() % 100000}"
    wait_for_room(small(name))
    yield name
    Cluster.down(name)


def test_down_leaves_nothing(name: str) -> None:
    """After `down`, the machine is as it was: namespaces, mounts, processes, links, control groups, rules, sysctls."""
    before = Machine.look()
    cluster = Cluster.up(small(name))
    cluster.kube.apply(Server(name="server").pod())
    wait_until("a pod runs", lambda: cluster.kube.get("Pod", "server", "default")["status"].get("podIP"))
    pids = cluster.state.group.all_pids()
    assert len(pids) > 8
    Cluster.down(name)
    assert traces(name) == []
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert before == Machine.look()


def test_second_up_changes_nothing(name: str) -> None:
    """`up` for a cluster that is up finds it as it is."""
    first = Cluster.up(small(name)).state.group.all_pids()
    assert first == Cluster.up(small(name)).state.group.all_pids()


def test_up_makes_anew_what_was_described_otherwise(name: str) -> None:
    """`up` with another description replaces the cluster."""
    Cluster.up(small(name))
    cluster = Cluster.up(ClusterSpec.of(name, 1, proxy="nftables"))
    assert "table ip kube-proxy" in wait_until(
        "kube-proxy works", lambda: cluster.node("node1").run(["nft", "list", "tables"])
    )


def test_killed_components_come_back(name: str) -> None:
    """After kill -9 of any program, `up` starts it again, and Services work."""
    cluster = Cluster.up(small(name))
    server = Server(name="server")
    cluster.kube.apply(server.deployment(1), server.service(clusterIP="10.96.0.80"))
    for component in cluster.components():
        _kill_main_process(component)
        cluster = Cluster.up(small(name))
        cluster.wait_ready()
        wait_until(f"the server answers after {component.title} died", lambda: _reached(cluster))  # noqa: B023


def test_killed_node_comes_back(name: str) -> None:
    """After kill -9 of a node's first process, `up` boots the node again, and its pods come back."""
    cluster = Cluster.up(small(name))
    server = Server(name="server")
    cluster.kube.apply(server.deployment(1), server.service(clusterIP="10.96.0.80"))
    wait_until("the server answers", lambda: _reached(cluster))
    os.kill(cluster.node("node1").pid, signal.SIGKILL)
    wait_until("the node is dead", lambda: not cluster.state.group.leaf("node1").populated())
    cluster = Cluster.up(small(name))
    wait_until("the server answers again", lambda: _reached(cluster))


@pytest.mark.parametrize("seconds", [0.3, 3])
def test_killed_runner(name: str, seconds: float) -> None:
    """After kill -9 of `up` at any moment, `up` works, and `down` leaves nothing."""
    command = [sys.executable, "-m", "testbed", "up", "--name", name, "--nodes", "1"]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as runner:
        try:
            runner.wait(seconds)
        except subprocess.TimeoutExpired:
            runner.kill()
    Cluster.up(small(name)).wait_ready()
    Cluster.down(name)
    assert traces(name) == []


def test_down_after_a_crash_needs_no_files(name: str) -> None:
    """`down` finds a cluster even when its folder is gone."""
    cluster = Cluster.up(small(name))
    (cluster.state.folder / "cluster.json").unlink()
    assert name in sweep.clusters()
    Cluster.down(name)
    assert traces(name) == []


def _kill_main_process(component: Component) -> None:
    """Without its children: containerd's containers outlive it."""
    chosen = component.pids()
    assert chosen, f"{component.title} does not run"
    for pid in chosen:
        os.kill(pid, signal.SIGKILL)
    wait_until(f"{component.title} is dead", lambda: not any(Path(f"/proc/{pid}").exists() for pid in chosen))


def _reached(cluster: Cluster) -> bool:
    result = connect(cluster.node("node1"), "10.96.0.80", 80, timeout_seconds=0.5)
    return isinstance(result, Reached) and result.pod is not None
