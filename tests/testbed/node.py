"""One node: namespaces that look like a machine, with containerd, a kubelet and a proxy in them."""

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed import build, machine
from testbed.addresses import AddressPlan
from testbed.cgroups import Group
from testbed.component import Component
from testbed.images import program_path
from testbed.kubelet import containerd_config, kubelet_config
from testbed.netns import Namespace, succeed
from testbed.networks import network
from testbed.networks.base import NodePlace
from testbed.proxies import kube_proxy_config, xtables_backend
from testbed.spec import NodeSpec, Proxy
from testbed.state import State
from testbed.waiting import wait_until
from testbed.wiring import Wiring

INIT_SCRIPT = Path(__file__).with_name("node-init.sh")
XTABLES = (
    "iptables",
    "iptables-save",
    "iptables-restore",
    "ip6tables",
    "ip6tables-save",
    "ip6tables-restore",
)
NEEDED_SYSCTLS = {"net/bridge/bridge-nf-call-iptables": 1, "net/bridge/bridge-nf-call-ip6tables": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRuntime:
    """The programs of one node."""

    state: State
    plan: AddressPlan
    spec: NodeSpec

    @property
    def folder(self) -> Path:
        """The node's files."""
        return self.state.node(self.spec.name)

    @property
    def namespace(self) -> Namespace:
        """Its network namespace."""
        return Wiring(plan=self.plan).namespace(self.spec.name)

    @property
    def group(self) -> Group:
        """Its control group."""
        return self.state.group.leaf(self.spec.name)

    @property
    def place(self) -> NodePlace:
        """The node, as its pod network sees it."""
        return NodePlace(
            plan=self.plan,
            node=self.spec,
            folder=self.folder,
            kubeconfig=self.state.folder / "kubeconfigs" / "admin-inside",
        )

    @property
    def path(self) -> str:
        """Where programs are looked for: the node's iptables, then what we built, then the system's."""
        built = (build.program_set(name).target for name in ("runc", "containerd", "kubernetes"))
        return ":".join(map(str, (self.folder / "bin", *built, machine.SYSTEM_PATH)))

    def prepare(self) -> None:
        """Write the node's configuration."""
        (self.folder / "bin").mkdir(parents=True, exist_ok=True)
        for name in XTABLES:
            link = self.folder / "bin" / name
            link.unlink(missing_ok=True)
            link.symlink_to(xtables_backend(self.plan.spec.proxy_of(self.spec.name)))
        pod_network = network(self.plan.spec.network)
        self._write("etc/cni/net.d/10-testbed.conflist", pod_network.cni_config(self.place))
        self._write("kubelet.yaml", kubelet_config(self.state, self.plan, self.spec))
        self._write("kube-proxy.yaml", kube_proxy_config(self.plan, self.spec, self.kubeconfig("kube-proxy")))
        plugins = [build.program_set(name).target for name in ("cni", *pod_network.program_sets)]
        (self.folder / "containerd.toml").write_text(containerd_config(plugins))
        if (daemon := pod_network.daemon(self.place)) is not None:
            daemon.write_files()

    def start_machine(self) -> None:
        """Everything but the kubelet: it would only wait, and ever longer, for an API server that is not there yet."""
        self._start_namespaces()
        self.namespace.sysctls(NEEDED_SYSCTLS)
        self._set_up_network()
        self.containerd().start()

    def wait_for_containerd(self) -> None:
        """Wait until it answers: the kubelet ends at once when it does not."""
        containerd = self.containerd()
        path = f"/proc/{self.pid}/root/run/containerd/containerd.sock"

        def answers() -> bool:
            containerd.expect_running()
            with socket.socket(socket.AF_UNIX) as client:
                return client.connect_ex(path) == 0

        wait_until(f"containerd of {self.spec.name} answers", answers, every_seconds=0.05)

    def load_images(self, archives: Sequence[Path]) -> None:
        """Import images."""
        importing = ["env", f"PATH={self.path}", "ctr", "-n", "k8s.io", "images", "import"]
        for archive in archives:
            succeed([*self.enter, *importing, str(archive)])

    def components(self) -> tuple[Component, ...]:
        """Its programs besides the first process, in the order in which they start."""
        each = (self.containerd(), self.network_daemon(), self.kubelet(), self.kube_proxy())
        return tuple(component for component in each if component is not None)

    @property
    def pid(self) -> int:
        """The node's first process, as the machine counts processes."""
        pids = self.group.leaf("init").pids()
        if not pids:
            raise ProcessLookupError(f"{self.spec.name} does not run.")
        return pids[0]

    @property
    def enter(self) -> list[str]:
        """What to put before a command so that it runs on the node."""
        return [
            "nsenter",
            f"--target={self.pid}",
            *(f"--{kind}" for kind in ("mount", "net", "pid", "uts", "ipc", "cgroup")),
        ]

    def containerd(self) -> Component:
        """The container runtime."""
        program = program_path("containerd", "containerd")
        return self._component("containerd", str(program), "--config", str(self.folder / "containerd.toml"))

    def kubelet(self) -> Component:
        """What starts pods."""
        addresses = ",".join(str(self.plan.node(self.spec, version)) for version in self.plan.versions)
        return self._component(
            "kubelet",
            str(program_path("kubernetes", "kubelet")),
            f"--config={self.folder / 'kubelet.yaml'}",
            f"--kubeconfig={self.kubeconfig(self.spec.name)}",
            f"--hostname-override={self.spec.name}",
            f"--node-ip={addresses}",
            "-v=2",
        )

    def kube_proxy(self) -> Component | None:
        """What makes Services work, or None."""
        if self.plan.spec.proxy_of(self.spec.name) is Proxy.NONE:
            return None
        program = program_path("kubernetes", "kube-proxy")
        return self._component(
            "kube-proxy", str(program), f"--config={self.folder / 'kube-proxy.yaml'}", "-v=2"
        )

    def network_daemon(self) -> Component | None:
        """The pod network's program, or None."""
        daemon = network(self.plan.spec.network).daemon(self.place)
        if daemon is None:
            return None
        return self._component(daemon.name, *daemon.command)

    def kubeconfig(self, identity: str) -> Path:
        """The kubeconfig of a program or node."""
        return self.state.folder / "kubeconfigs" / identity

    def _start_namespaces(self) -> None:
        """The group of the node becomes the root of its cgroup namespace, and so must be where it starts."""
        kinds = [f"--{kind}" for kind in ("mount", "pid", "uts", "ipc", "cgroup")]
        script = (str(INIT_SCRIPT), str(self.folder), self.spec.name, "init")
        init = Component(
            state=self.state,
            place=self.spec.name,
            name="init",
            prefix=(*self.namespace.enter, "unshare", *kinds, "--fork", "--kill-child", *script),
            command=(str(program_path("pause", "pause")),),
            environment={},
            group_of_place=True,
        )
        init.start()

        def done() -> bool:
            if not self.group.populated():
                init.expect_running()
            pids = self.group.leaf("init").pids()
            return bool(pids) and Path(f"/proc/{pids[0]}/comm").read_text().strip() == "pause"

        wait_until(f"{self.spec.name} has its namespaces", done, timeout_seconds=20, every_seconds=0.02)
        self.group.leaf("unshare").join(self.group.pids())

    def _set_up_network(self) -> None:
        pod_network = network(self.plan.spec.network)
        routes, rules = pod_network.routes(self.place), pod_network.rules(self.place)
        script = "".join(f"ip {route}\n" for route in routes) + "".join(rule.commands() for rule in rules)
        succeed([*self.enter, "env", f"PATH={self.path}", "sh", "-e"], stdin=script)

    def _component(self, name: str, *command: str) -> Component:
        return Component(
            state=self.state,
            place=self.spec.name,
            name=name,
            prefix=tuple(self.enter) if self.group.leaf("init").pids() else (),
            command=command,
            environment={"PATH": self.path},
        )

    def _write(self, relative: str, content: dict[str, Any]) -> None:
        path = self.folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1))
