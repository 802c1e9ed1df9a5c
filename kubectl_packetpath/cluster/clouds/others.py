"""The load balancers of DigitalOcean, Hetzner and OpenStack (Octavia).

Sources: https://github.com/digitalocean/digitalocean-cloud-controller-manager (docs/controllers/services/annotations.md),
https://github.com/hetznercloud/hcloud-cloud-controller-manager (internal/annotation/load_balancer.go),
https://github.com/kubernetes/cloud-provider-openstack (docs/openstack-cloud-controller-manager)
"""

from kubectl_packetpath.cluster.clouds.base import PREFIX, Arrival, Balancer, Reader

OCEAN = f"{PREFIX}do-loadbalancer-"
OCEAN_ID, OCEAN_TYPE, OCEAN_PROXY = (
    "kubernetes.digitalocean.com/load-balancer-id",
    f"{OCEAN}type",
    f"{OCEAN}enable-proxy-protocol",
)
OCEAN_NAMES = (OCEAN_ID, OCEAN_TYPE, OCEAN_PROXY, f"{OCEAN}name", f"{OCEAN}protocol", f"{OCEAN}hostname")
HETZNER = "load-balancer.hetzner.cloud/"
HETZNER_PROXY = f"{HETZNER}uses-proxyprotocol"
HETZNER_NAMES = (
    f"{HETZNER}id",
    HETZNER_PROXY,
    *(
        f"{HETZNER}{each}"
        for each in ("location", "network-zone", "name", "type", "hostname", "use-private-ip")
    ),
)
OPENSTACK = "loadbalancer.openstack.org/"
OPENSTACK_PROXY = f"{OPENSTACK}proxy-protocol"
OPENSTACK_NAMES = (
    f"{OPENSTACK}load-balancer-id",
    f"{OPENSTACK}load-balancer-address",
    OPENSTACK_PROXY,
    f"{OPENSTACK}x-forwarded-for",
    f"{OPENSTACK}enable-health-monitor",
    f"{OPENSTACK}hostname",
    f"{PREFIX}openstack-internal-load-balancer",
)
ANNOTATIONS = (*OCEAN_NAMES, *HETZNER_NAMES, *OPENSTACK_NAMES)


def digitalocean(reader: Reader) -> Balancer | None:
    """Its network balancers keep addresses and ports; its other ones are proxies."""
    documented = "DigitalOcean's documentation"
    if not _is(reader, "digitalocean", OCEAN_NAMES, "DigitalOcean load balancer"):
        return None
    kind = reader.value(OCEAN_TYPE).upper()
    arrival = {"REGIONAL_NETWORK": Arrival.VIP, "REGIONAL": Arrival.NODE_PORT}.get(kind, Arrival.UNKNOWN)
    if arrival is Arrival.VIP:
        reader.assumes(
            "arrival", f"at the nodes, with the balancer's own address and port (type {kind})", documented
        )
        reader.assumes("client", "its address is kept", documented)
    elif arrival is Arrival.NODE_PORT:
        _proxied(reader, documented)
    else:
        text = "not known: without an annotation the type depends on the version of the cloud controller"
        reader.assumes("arrival", text, documented)
    _header(reader, OCEAN_PROXY, "PROXY protocol")
    text = f"asks {reader.local_check}" if reader.is_local else "asks kube-proxy at each node's port 10256"
    reader.assumes("health", text, documented)
    return reader.balancer("DigitalOcean load balancer", arrival)


def hetzner(reader: Reader) -> Balancer | None:
    """A proxy in front of the node ports."""
    if not _is(reader, "hcloud", HETZNER_NAMES, "Hetzner load balancer"):
        return None
    documented = "Hetzner's documentation"
    _proxied(reader, documented)
    _header(reader, HETZNER_PROXY, "PROXY protocol version 2")
    text = (
        f"asks {reader.local_check}"
        if reader.is_local
        else "asks each node's node port, as its annotations say"
    )
    reader.assumes("health", text, documented)
    return reader.balancer("Hetzner load balancer", Arrival.NODE_PORT)


def openstack(reader: Reader) -> Balancer | None:
    """Octavia's amphorae are proxies; its OVN provider keeps addresses, which no object of the cluster tells."""
    if not _is(reader, "openstack", OPENSTACK_NAMES, "OpenStack Octavia"):
        return None
    documented = "OpenStack's documentation"
    reader.assumes("arrival", "at the nodes' own addresses and node ports", documented)
    reader.assumes(
        "client", "its address is replaced by the balancer's (amphora), or kept (provider ovn)", documented
    )
    _header(reader, OPENSTACK_PROXY, "PROXY protocol")
    text = (
        f"asks {reader.local_check}" if reader.is_local else "asks each node's node port, if a monitor is on"
    )
    reader.assumes("health", text, documented)
    return reader.balancer("OpenStack Octavia", Arrival.NODE_PORT)


def _is(reader: Reader, scheme: str, names: tuple[str, ...], provider: str) -> bool:
    """Says who it is, if it is."""
    if reader.service.balancer_class:
        return False
    certain, machines = reader.annotation(*names), reader.nodes_of(scheme)
    if certain or machines:
        reader.knows(bool(certain), "provider", provider, certain or machines)
    return bool(certain or machines)


def _proxied(reader: Reader, documented: str) -> None:
    reader.assumes("arrival", "at the nodes' own addresses and node ports", documented)
    reader.assumes("client", "its address is replaced by the balancer's", documented)


def _header(reader: Reader, name: str, words: str) -> None:
    if reader.value(name).lower() not in {"", "false"}:
        reader.says("proxy_protocol", f"{words}: the backend has to expect it", reader.annotation(name))
