"""Google's load balancers: passthrough ones, whose packets keep the balancer's address, and groups of pods (NEG).

Sources: https://cloud.google.com/kubernetes-engine/docs/concepts/service-load-balancer, https://github.com/kubernetes/ingress-gce
(pkg/annotations/service.go, pkg/utils/common/finalizer.go)
"""

import json

from kubectl_packetpath.cluster.clouds.base import Arrival, Balancer, Reader

KIND, OLD_KIND = "networking.gke.io/load-balancer-type", "cloud.google.com/load-balancer-type"
BACKENDS, NEG, NEG_STATUS = "cloud.google.com/l4-rbs", "cloud.google.com/neg", "cloud.google.com/neg-status"
RULE = "service.kubernetes.io/tcp-forwarding-rule"
UDP_RULE = "service.kubernetes.io/udp-forwarding-rule"
ANNOTATIONS = (KIND, OLD_KIND, BACKENDS, NEG, NEG_STATUS, RULE, UDP_RULE)
CLASSES = ("networking.gke.io/l4-regional-external", "networking.gke.io/l4-regional-internal")
FINALIZERS = (
    "gke.networking.io/l4-netlb-v3",
    "gke.networking.io/l4-netlb-v2",
    "gke.networking.io/l4-netlb-v1",
    "gke.networking.io/l4-ilb-v2",
    "gke.networking.io/l4-ilb-v1",
)
DOCUMENTED = "Google's documentation"
PROBERS = "35.191.0.0/16 and 130.211.0.0/22"


def balancer(reader: Reader) -> Balancer | None:
    """By the class, the finalizer or annotations; else by the nodes."""
    own_class = reader.balancer_class(*CLASSES)
    if reader.service.balancer_class and not own_class:
        return None
    certain = (
        own_class
        or reader.finalizer(*FINALIZERS)
        or reader.annotation(RULE, UDP_RULE, KIND, OLD_KIND, BACKENDS)
    )
    machines = reader.nodes_of("gce")
    if not certain and not machines:
        return None
    provider = "Google Cloud passthrough Network Load Balancer"
    reader.knows(bool(certain), "provider", provider, certain or machines)
    text = "at the nodes, with the balancer's own address and port"
    reader.assumes("arrival", text, DOCUMENTED)
    reader.assumes("client", "its address is kept", DOCUMENTED)
    if reader.is_local and reader.service.health_check_port:
        text = f"asks {reader.local_check}, from {PROBERS}: nodes without endpoints get no traffic"
    else:
        text = f"asks GET /healthz of kube-proxy at each node's port 10256, from {PROBERS}"
    reader.assumes("health", text, DOCUMENTED)
    return reader.balancer(provider, Arrival.VIP)


def groups(reader: Reader) -> Balancer | None:
    """Groups of pods, which other balancers of Google's send to: the controller writes them on the Service of any type."""
    written = reader.value(NEG_STATUS)
    try:
        ports = json.loads(written).get("network_endpoint_groups", {}) if written else {}
    except (ValueError, AttributeError):
        return None
    if not isinstance(ports, dict) or not ports:
        return None
    provider = "Google Cloud load balancer with network endpoint groups"
    by = f"annotation {NEG_STATUS}, for port{'s' * (len(ports) > 1)} {', '.join(sorted(map(str, ports))[:8])}"
    reader.says("provider", provider, by)
    reader.says("arrival", "straight at the pods, past every proxy of the nodes", by)
    reader.assumes(
        "client",
        "its address is replaced by the balancer's, from 35.191.0.0/16 or 130.211.0.0/22, where it is a proxy (an Ingress, a Gateway)",
        DOCUMENTED,
    )
    reader.assumes("health", f"asks each pod itself, from {PROBERS}", DOCUMENTED)
    return reader.balancer(provider, Arrival.POD, tuple(sorted(map(str, ports))))
