"""How the kubelet and containerd are told to work on a node that is a set of namespaces."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed.addresses import AddressPlan
from testbed.images import PAUSE
from testbed.spec import NodeSpec
from testbed.state import State
from testbed.waiting import PATIENCE


def kubelet_config(state: State, plan: AddressPlan, node: NodeSpec) -> dict[str, Any]:
    """Nothing of the machine is accounted for or reserved: the nodes share one."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "::" if 6 in plan.versions else "0.0.0.0",
        "tlsCertFile": str(state.pki / f"{node.name}.crt"),
        "tlsPrivateKeyFile": str(state.pki / f"{node.name}.key"),
        "authentication": {
            "anonymous": {"enabled": False},
            "x509": {"clientCAFile": str(state.pki / "ca.crt")},
            "webhook": {"enabled": True},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "failCgroupV1": False,
        "oomScoreAdj": 0,
        "clusterDomain": "cluster.local",
        "clusterDNS": [str(plan.dns_service(version)) for version in plan.versions],
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "localStorageCapacityIsolation": False,
        "evictionHard": {"memory.available": "1Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "volumePluginDir": "/var/lib/kubelet/plugins",
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": f"{round(4 * PATIENCE)}s",
        "featureGates": {"ReloadKubeletServerCertificateFile": False},  # it would take an inotify instance
    }


def containerd_config(plugins: Sequence[Path]) -> str:
    """Where a machine may not lower its oom score, runc could start no pod without restrict_oom_score_adj."""
    folders = ", ".join(f'"{folder}"' for folder in ("/opt/cni/bin", *plugins))
    return f"""version = 3
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "{PAUSE}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = [{folders}]
  conf_dir = "/etc/cni/net.d"
"""
