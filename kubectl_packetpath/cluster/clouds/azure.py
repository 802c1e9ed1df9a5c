"""Azure's load balancer: the packets keep its address, unless floating IP is switched off.

Sources: https://kubernetes-sigs.github.io/cloud-provider-azure/topics/loadbalancer/, pkg/provider
azure_loadbalancer_healthprobe.go; https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
"""

from kubectl_packetpath.cluster.clouds.base import PREFIX, Arrival, Balancer, Reader

BASE = f"{PREFIX}azure-"
NO_FLOATING = f"{BASE}disable-load-balancer-floating-ip"
INTERNAL = f"{BASE}load-balancer-internal"
PROBE_PATH = f"{BASE}load-balancer-health-probe-request-path"
PROBE_PROTOCOL = f"{BASE}load-balancer-health-probe-protocol"
PORTS = f"{PREFIX}port_*"
"""Annotations of single ports: `port_80_health-probe_port`."""
OTHERS = (f"{BASE}load-balancer-resource-group", f"{BASE}pip-name", f"{BASE}load-balancer-ipv4")
ANNOTATIONS = (NO_FLOATING, INTERNAL, PROBE_PATH, PROBE_PROTOCOL, PORTS, *OTHERS)
DOCUMENTED = "the Azure cloud provider's documentation"
PROBER = "168.63.129.16"


def balancer(reader: Reader) -> Balancer | None:
    """By annotations of its own; else by the nodes."""
    if reader.service.balancer_class:
        return None
    certain = reader.annotation(NO_FLOATING, INTERNAL, PROBE_PATH, PROBE_PROTOCOL, *OTHERS)
    machines = reader.nodes_of("azure")
    if not certain and not machines:
        return None
    provider = "Azure Load Balancer"
    reader.knows(bool(certain), "provider", provider, certain or machines)
    plain = reader.is_on(NO_FLOATING)
    if plain:
        reader.says(
            "arrival",
            "at the nodes' own addresses and node ports (floating IP is off)",
            reader.annotation(NO_FLOATING),
        )
    else:
        reader.assumes(
            "arrival",
            "at the nodes, with the balancer's own address and port (floating IP, the default)",
            DOCUMENTED,
        )
    reader.assumes("client", "its address is kept", DOCUMENTED)
    _probe(reader)
    reader.assumes(
        "inside",
        "a node cannot reach itself through the balancer, except as kube-proxy spares the way",
        DOCUMENTED,
    )
    return reader.balancer(provider, Arrival.NODE_PORT if plain else Arrival.VIP)


def _probe(reader: Reader) -> None:
    """Which nodes get traffic; the probes have an address of their own."""
    own = [name for name, value in reader.service.annotations if "_health-probe_" in name and value]
    given = [each for each in (PROBE_PROTOCOL, PROBE_PATH) if reader.value(each)]
    if own or given:
        names = ", ".join(f"{each}: {reader.value(each)}" for each in (*given, *own))
        reader.says("health", f"asks each node as its annotations say, from {PROBER}", f"annotation {names}")
    elif reader.is_local and reader.service.health_check_port:
        text = f"asks {reader.local_check}, from {PROBER}: nodes without endpoints get no traffic"
        reader.assumes("health", text, DOCUMENTED)
    else:
        text = f"asks each node from {PROBER}: TCP to the node port, or kube-proxy's port 10256 where probes are shared"
        reader.assumes("health", text, DOCUMENTED)
