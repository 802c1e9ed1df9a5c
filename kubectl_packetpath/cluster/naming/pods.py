"""The resolver's configuration that a kubelet writes for a pod, by the word of the API.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy,
pkg/kubelet/network/dns/dns.go
"""

from kubectl_packetpath.cluster.model import Cluster, Pod, Service
from kubectl_packetpath.cluster.naming.resolv import Library, ResolvConf, parse_resolv_conf

NDOTS = 5
ZONE = "cluster.local"
MOST_SEARCHES = 32
"""Search domains that a kubelet writes."""
DNS_SERVICES = (
    ("kube-system", "kube-dns"),
    ("kube-system", "coredns"),
    ("kube-system", "rke2-coredns-rke2-coredns"),
    ("openshift-dns", "dns-default"),
)
BY_CLUSTER = frozenset({"ClusterFirst", "ClusterFirstWithHostNet"})


def dns_service(cluster: Cluster) -> Service | None:
    """The Service of the cluster's DNS, by the names that it has in practice."""
    for namespace, name in DNS_SERVICES:
        found = cluster.service(namespace, name)
        if found is not None:
            return found
    return None


def policy_of(pod: Pod) -> str:
    """The policy that counts: without a network of its own a pod has to say so twice."""
    return "Default" if pod.dns_policy == "ClusterFirst" and pod.host_network else pod.dns_policy


def resolv_conf_of(
    pod: Pod, cluster: Cluster, zone: str = ZONE, library: Library = Library.GLIBC
) -> ResolvConf | None:
    """What the pod's policy asks for; None where the node's own file is used, which the API does not show."""
    policy = policy_of(pod)
    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: dict[str, str] = {}
    if policy in BY_CLUSTER:
        service = dns_service(cluster)
        servers = tuple(str(each) for each in (service.cluster_ips if service else ()))
        search = (f"{pod.namespace}.svc.{zone}", f"svc.{zone}", zone)
        options = {"ndots": str(NDOTS)}
    elif policy != "None":
        return None
    if pod.dns_config is not None:
        servers = tuple(dict.fromkeys((*servers, *pod.dns_config.servers)))
        search = tuple(dict.fromkeys((*search, *pod.dns_config.searches)))
        options |= dict(pod.dns_config.options)
    words = (f"{name}:{value}" if value else name for name, value in sorted(options.items()))
    lines = (
        *(f"nameserver {each}" for each in servers),
        f"search {' '.join(search[:MOST_SEARCHES])}",
        f"options {' '.join(words)}",
    )
    return parse_resolv_conf("\n".join(lines), library)
