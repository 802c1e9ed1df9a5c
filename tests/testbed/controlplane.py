"""The control plane: etcd, the API server, the controllers and the scheduler, in a namespace of their own."""

from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from testbed.addresses import AddressPlan
from testbed.component import Component
from testbed.images import program_path
from testbed.pki import Authority, Identity, kubeconfig
from testbed.state import Record, State
from testbed.waiting import PATIENCE
from testbed.wiring import CONTROL, Wiring

MASTERS = "system:masters"
ETCD = "http://127.0.0.1:2379"
GRACE_SECONDS = 50
"""How long a node may be silent: as it is by default, where machines are not slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """What decides in a cluster."""

    state: State
    record: Record
    plan: AddressPlan

    @property
    def host(self) -> IPv4Address:
        """Where this machine reaches the API server."""
        return self.record.kubectl_link[2]

    def write_identities(self) -> None:
        """Make every certificate and kubeconfig of the cluster."""
        authority = Authority(folder=self.state.pki)
        authority.create()
        for name, identity in self._identities().items():
            authority.issue(name, identity)
            server = f"https://{self.host}:6443" if name == "admin" else self.plan.api_url
            self.state.write(f"kubeconfigs/{name}", kubeconfig(self.state.pki, name, server))
        self.state.write("kubeconfig", self.kubeconfig("admin").read_text()).chmod(0o600)

    def kubeconfig(self, identity: str) -> Path:
        """The kubeconfig of a program or node."""
        return self.state.folder / "kubeconfigs" / identity

    def components(self) -> tuple[Component, ...]:
        """All its programs, in the order in which they start."""
        return (self._etcd(), self._api_server(), self._controllers(), self._scheduler())

    def _identities(self) -> dict[str, Identity]:
        versions = self.plan.versions
        addresses = [ip_address("127.0.0.1"), self.host]
        addresses += [self.plan.control(v) for v in versions] + [self.plan.api_service(v) for v in versions]
        service = "kubernetes.default.svc"
        names = ("localhost", "kubernetes", "kubernetes.default", service, f"{service}.cluster.local")
        return {
            "apiserver": Identity(user="kube-apiserver", names=names, addresses=tuple(addresses)),
            "admin": Identity(user="admin", group=MASTERS),
            "kubelet-client": Identity(user="kube-apiserver-kubelet-client", group=MASTERS),
            "controllers": Identity(user="system:kube-controller-manager"),
            "scheduler": Identity(user="system:kube-scheduler"),
            "kube-proxy": Identity(user="system:kube-proxy"),
        } | {
            node.name: Identity(
                user=f"system:node:{node.name}",
                group="system:nodes",
                names=(node.name,),
                addresses=tuple(self.plan.node(node, v) for v in versions),
            )
            for node in self.plan.spec.nodes
        }

    def _etcd(self) -> Component:
        peers = "http://127.0.0.1:2380"
        flags = {
            "data-dir": self.state.folder / "etcd",
            "listen-client-urls": ETCD,
            "advertise-client-urls": ETCD,
            "listen-peer-urls": peers,
            "unsafe-no-fsync": "true",
        }
        return self._component("etcd", program_path("etcd", "server"), flags)

    def _api_server(self) -> Component:
        pki = self.state.pki
        flags = {
            "etcd-servers": ETCD,
            "secure-port": 6443,
            "bind-address": "::" if 6 in self.plan.versions else "0.0.0.0",
            "advertise-address": self.plan.control(self.plan.versions[0]),
            "cert-dir": pki,
            "tls-cert-file": pki / "apiserver.crt",
            "tls-private-key-file": pki / "apiserver.key",
            "client-ca-file": pki / "ca.crt",
            "kubelet-client-certificate": pki / "kubelet-client.crt",
            "kubelet-client-key": pki / "kubelet-client.key",
            "kubelet-certificate-authority": pki / "ca.crt",
            "kubelet-preferred-address-types": "InternalIP",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": pki / "sa.pub",
            "service-account-signing-key-file": pki / "sa.key",
            "service-cluster-ip-range": ",".join(str(self.plan.services(v)) for v in self.plan.versions),
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "allow-privileged": "true",
            "profiling": "false",
        }
        return self._component("kube-apiserver", program_path("kubernetes", "kube-apiserver"), flags)

    def _controllers(self) -> Component:
        """It serves nothing and signs no certificates: each of these would take inotify instances, which are few."""
        flags = {
            "kubeconfig": self.kubeconfig("controllers"),
            "service-account-private-key-file": self.state.pki / "sa.key",
            "root-ca-file": self.state.pki / "ca.crt",
            "controllers": "*,-certificatesigningrequest-signing-controller",
            "node-monitor-grace-period": f"{round(GRACE_SECONDS * PATIENCE)}s",
            "use-service-account-credentials": "true",
            "leader-elect": "false",
            "secure-port": 0,
        }
        program = program_path("kubernetes", "kube-controller-manager")
        return self._component("kube-controller-manager", program, flags)

    def _scheduler(self) -> Component:
        flags = {"kubeconfig": self.kubeconfig("scheduler"), "leader-elect": "false", "secure-port": 0}
        return self._component("kube-scheduler", program_path("kubernetes", "kube-scheduler"), flags)

    def _component(self, name: str, program: Path, flags: dict[str, object]) -> Component:
        arguments = tuple(f"--{flag}={value}" for flag, value in flags.items())
        namespace = Wiring(plan=self.plan).namespace(CONTROL)
        return Component(
            state=self.state,
            place="control",
            name=name,
            prefix=tuple(namespace.enter),
            command=(str(program), *arguments),
            environment={},
        )
