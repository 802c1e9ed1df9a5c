"""Things to run in a cluster: servers that tell who they are, and Services in front of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from testbed.images import AGNHOST
from testbed.waiting import PATIENCE

TCP_PORT, UDP_PORT, SCTP_PORT = 8080, 8081, 8082
CONTAINER = "server"
GATE = "testbed/gate"
"""A condition of pods that only tests set."""
Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Pods that run agnhost, which tells its host name and the client address that it saw."""

    name: str
    namespace: str = "default"
    node: str | None = None
    """None: one where the scheduler likes."""
    host_network: bool = False
    gated: bool = False
    """Whether its pods become ready only when a test opens their gate (`faults.set_gate`)."""

    @property
    def labels(self) -> dict[str, str]:
        """What Services select."""
        return {"app": self.name}

    def pod_spec(self) -> Manifest:
        """What a pod of it is like."""
        placed = {"nodeName": self.node} if self.node else {}
        gates = {"readinessGates": [{"conditionType": GATE}]} if self.gated else {}
        return (placed | gates) | {
            "terminationGracePeriodSeconds": 0,
            "hostNetwork": self.host_network,
            "automountServiceAccountToken": False,
            "tolerations": [{"operator": "Exists"}],
            "containers": [
                {
                    "name": CONTAINER,
                    "image": AGNHOST,
                    "args": ["netexec", f"--http-port={TCP_PORT}", f"--udp-port={UDP_PORT}"],
                    "readinessProbe": {
                        "httpGet": {"path": "/healthz", "port": TCP_PORT},
                        "periodSeconds": max(1, round(PATIENCE / 2)),
                        "failureThreshold": 1 if PATIENCE == 1 else 10,
                        "timeoutSeconds": round(2 * PATIENCE),
                    },
                }
            ],
        }

    def pod(self, **metadata: Any) -> Manifest:
        """One pod with the server's name."""
        own = {"name": self.name, "namespace": self.namespace, "labels": self.labels}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": own | metadata, "spec": self.pod_spec()}

    def deployment(self, replicas: int) -> Manifest:
        """Pods spread over the nodes."""
        spread = {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": self.labels},
        }
        template = {
            "metadata": {"labels": self.labels},
            "spec": self.pod_spec() | {"topologySpreadConstraints": [spread]},
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {"replicas": replicas, "selector": {"matchLabels": self.labels}, "template": template},
        }

    def service(self, *, name: str | None = None, families: int = 1, **spec: Any) -> Manifest:
        """A Service with the ports 80/TCP, 81/UDP and 82/SCTP in front of it."""
        policy = {1: "SingleStack", 2: "RequireDualStack"}[families]
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name or self.name, "namespace": self.namespace},
            "spec": {"selector": self.labels, "ports": service_ports(), "ipFamilyPolicy": policy} | spec,
        }


def service_ports(node_ports: Mapping[str, int] | None = None) -> list[Manifest]:
    """The three ports of a Service, one for each protocol."""
    given = node_ports or {}
    listed = (("http", "TCP", 80, TCP_PORT), ("udp", "UDP", 81, UDP_PORT), ("sctp", "SCTP", 82, SCTP_PORT))
    return [
        {"name": name, "protocol": protocol, "port": port, "targetPort": target}
        | ({"nodePort": given[name]} if name in given else {})
        for name, protocol, port, target in listed
    ]


def namespace(name: str) -> Manifest:
    """A namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
