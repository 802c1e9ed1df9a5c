"""The resolver's configuration that a kubelet writes for a pod.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy
"""

from dataclasses import replace

from kubectl_packetpath.cluster.model import Cluster, Pod, Service
from kubectl_packetpath.cluster.naming.resolv import ResolvConf

NDOTS = 5
ZONE = "cluster.local"
DNS_SERVICES = (
    ("kube-system", "kube-dns"),
    ("kube-system", "coredns"),
    ("kube-system", "rke2-coredns-rke2-coredns"),
)


def dns_service(cluster: Cluster) -> Service | None:
    """The Service of the cluster's DNS, by the names that it has in practice."""
    for namespace, name in DNS_SERVICES:
        found = cluster.service(namespace, name)
        if found is not None:
            return found
    return None


def resolv_conf_of(pod: Pod, cluster: Cluster, zone: str = ZONE) -> ResolvConf | None:
    """What the pod's policy asks for; None where the node's own file is used, which the API does not show."""
    policy = pod.dns_policy
    if policy == "ClusterFirst" and pod.host_network:
        policy = "Default"
    base = None
    if policy in {"ClusterFirst", "ClusterFirstWithHostNet"}:
        service = dns_service(cluster)
        base = ResolvConf(
            servers=tuple(str(each) for each in (service.cluster_ips if service else ())),
            search=(f"{pod.namespace}.svc.{zone}", f"svc.{zone}", zone),
            ndots=NDOTS,
        )
    elif policy == "None":
        base = ResolvConf()
    return None if base is None else _with_own(base, pod)


def _with_own(base: ResolvConf, pod: Pod) -> ResolvConf:
    """The pod's dnsConfig is added; an option of the same name replaces the other."""
    own = pod.dns_config
    if own is None:
        return base
    options = dict(own.options)
    ndots = options.pop("ndots", "")
    return replace(
        base,
        servers=tuple(dict.fromkeys((*base.servers, *own.servers))),
        search=tuple(dict.fromkeys((*base.search, *own.searches))),
        ndots=int(ndots) if ndots.isdigit() else base.ndots,
        options=tuple(f"{name}:{value}" if value else name for name, value in sorted(options.items())),
    )
