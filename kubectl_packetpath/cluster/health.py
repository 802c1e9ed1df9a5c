"""What a load balancer that asks a node about a Service is told, and so which nodes get its traffic.

Under externalTrafficPolicy Local each node's kube-proxy answers on the Service's healthCheckNodePort: 200 where an
endpoint of its own is ready, else 503. Otherwise a load balancer may ask kube-proxy itself on port 10256.

Kubernetes: pkg/proxy/healthcheck/service_health.go, proxy_health.go; KEP-3836
"""

from kubectl_packetpath.cluster.absence import endpoints_of
from kubectl_packetpath.cluster.model import Cluster, Service

PROXY_PORT = 10256
PROXY_SAYS = (
    "kube-proxy answers GET /healthz with 200 while its rules are up to date and its node is not being "
    "deleted, else with 503"
)
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"


def says(cluster: Cluster, service: Service, node: str, version: int) -> str:
    """What kube-proxy on a node answers to the Service's health check, while it is in good health itself."""
    ready = {
        each.addresses
        for each in endpoints_of(cluster, service)
        if each.ready and each.node == node and any(address.version == version for address in each.addresses)
    }
    found = cluster.node(node)
    kept_out = found is not None and any(name == EXCLUDED for name, _ in found.labels)
    out = "; its label keeps the node out of load balancers" if kept_out else ""
    if not ready:
        return f"503 (no endpoint on this node is ready, so the load balancer has to leave it out){out}"
    return f"200 ({len(ready)} ready endpoint{'s' * (len(ready) > 1)} on this node){out}"


def asked(cluster: Cluster, port: int, node: str, version: int) -> tuple[Service | None, str]:
    """The Service whose health check is on a node's TCP port (None: kube-proxy's own), and the answer; empty: neither."""
    for service in cluster.services:
        if service.health_check_port == port:
            return service, says(cluster, service, node, version)
    return None, PROXY_SAYS if port == PROXY_PORT else ""
