"""The resolver of a pod: the file that it really has, or else the one that the API promises, and where the two part.

A kubelet writes the file when it starts a pod, from the pod's dnsPolicy and dnsConfig and from its own flags; afterwards
it is the pod's own, and nobody looks at it again. NodeLocal DNSCache answers in the stead of the cluster's DNS: at an
address of its own, or at the DNS Service's, which it puts on a device of every node.

Kubernetes: https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kubectl_packetpath.cluster.model import Cluster, Pod, Service
from kubectl_packetpath.cluster.naming.pods import (
    BY_CLUSTER,
    ZONE,
    dns_service,
    policy_of,
    resolv_conf_of,
)
from kubectl_packetpath.cluster.naming.resolv import (
    MOST_SERVERS,
    Library,
    ResolvConf,
    is_name,
    parse_resolv_conf,
)
from kubectl_packetpath.snapshot.absent import Absent, Why

CACHE_DEVICE = "nodelocaldns"
CACHE_ADDRESSES = frozenset({"169.254.20.10"})
MOST_BYTES = 65536
"""Of a file that are read: an agent stops there."""
NOT_ASKED = Absent(why=Why.NOT_ASKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What was read of a pod and of its node."""

    own: str | Absent = NOT_ASKED
    """The pod's /etc/resolv.conf."""
    of_node: str | Absent = NOT_ASKED
    """The node's, from which a kubelet takes more search domains, if it is not told to take another."""
    cached: tuple[str, ...] | Absent = NOT_ASKED
    """Addresses of the node's device of NodeLocal DNSCache; empty: the node has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A point in which the file is not as promised."""

    text: str
    certain: bool
    """False: the kubelet's own flags, which are not seen here, may ask for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """How programs of a pod find addresses for names."""

    pod: str = ""
    """As `namespace/name`; empty: any pod of the namespace."""
    node: str = ""
    conf: ResolvConf
    """As glibc reads it."""
    musl: ResolvConf
    from_file: bool = False
    """False: it is what the API promises."""
    unread: str = ""
    """Why the file was not read."""
    text: str = ""
    """The file, as far as it was read."""
    zone: str = ZONE
    dns: Service | None = None
    """The cluster's DNS, where it is the one that is asked."""
    cache: str = ""
    """How NodeLocal DNSCache is known to answer; empty: it does not."""
    foreign: str = ""
    """Why the first server may not know the cluster's names; empty: it does."""
    differences: tuple[Difference, ...] = ()

    @property
    def server(self) -> str:
        """Who is asked first."""
        return self.conf.asked_servers[0]

    @property
    def title(self) -> str:
        """Whose it is, and what it says."""
        whose = (
            f"/etc/resolv.conf of pod {self.pod}, read on {self.node}"
            if self.from_file
            else f"as the API promises{f' ({self.unread})' if self.unread else ''}"
        )
        return f"{whose}: {words(self.conf)}"


def words(conf: ResolvConf) -> str:
    """A configuration in one line, in the file's own words."""
    parts = [f"nameserver {' '.join(conf.asked_servers)}"]
    parts += [f"search {' '.join(conf.search)}"] if conf.search else []
    numbers = [f"ndots:{conf.ndots}"]
    numbers += [f"timeout:{conf.timeout_seconds}"] if conf.timeout_seconds != 5 else []
    numbers += [f"attempts:{conf.attempts}"] if conf.attempts != 2 else []
    return "; ".join((*parts, f"options {' '.join((*numbers, *conf.options))}"))


def resolver_of(pod: Pod, cluster: Cluster, files: Files | None = None) -> Resolver | None:
    """The pod's own file, or what the API promises; None where neither is known."""
    given = files or Files()
    own = given.own
    promised = resolv_conf_of(pod, cluster)
    if isinstance(own, Absent):
        musl = resolv_conf_of(pod, cluster, library=Library.MUSL)
        if promised is None or musl is None:
            return None
        found = Resolver(conf=promised, musl=musl, unread="" if own.why is Why.NOT_ASKED else own.detail)
        return _with_server(found, pod, cluster, given)
    conf = parse_resolv_conf(own)
    zone = zone_of(pod, conf)
    promised = resolv_conf_of(pod, cluster, zone)
    found = Resolver(
        pod=pod.full_name,
        node=pod.node,
        conf=conf,
        musl=parse_resolv_conf(own, Library.MUSL),
        from_file=True,
        text=own,
        zone=zone,
        differences=tuple(_differences(pod, promised, conf, given)) if promised is not None else (),
    )
    return _with_server(found, pod, cluster, given)


def zone_of(pod: Pod, conf: ResolvConf) -> str:
    """The cluster's domain, which stands in the file behind the pod's namespace."""
    begin = f"{pod.namespace}.svc."
    return next(
        (each.removeprefix(begin) for each in conf.search if each.startswith(begin) and is_name(each)), ZONE
    )


def _with_server(found: Resolver, pod: Pod, cluster: Cluster, files: Files) -> Resolver:
    """With who it is that answers."""
    known, server = dns_service(cluster), found.server
    cached = () if isinstance(files.cached, Absent) else files.cached
    cache = ""
    if server in cached:
        cache = f"{server} is on the device {CACHE_DEVICE} of {pod.node}"
    elif server in CACHE_ADDRESSES:
        cache = f"{server} is the address that NodeLocal DNSCache has by default"
    dns, foreign = _asked(server, known, cluster)
    if known is None and policy_of(pod) in BY_CLUSTER:
        foreign = ""
    return replace(
        found, dns=dns or (known if cache else None), cache=cache, foreign="" if cache else foreign
    )


def _asked(server: str, known: Service | None, cluster: Cluster) -> tuple[Service | None, str]:
    """The Service with this address, and why it may not be the cluster's DNS."""
    if known is not None and server in map(str, known.cluster_ips):
        return known, ""
    if known is not None and any(
        server in map(str, each.addresses) for part in cluster.slices_of(known) for each in part.endpoints
    ):
        return None, ""
    other = next((each for each in cluster.services if server in map(str, each.cluster_ips)), None)
    why = f"{server} is not the address of the cluster's DNS"
    return other, f"{why}{f' but of Service {other.full_name}' if other is not None else ''}"


def _differences(pod: Pod, promised: ResolvConf, real: ResolvConf, files: Files) -> Iterator[Difference]:
    yield from _of_servers(pod, promised, real, files)
    yield from _of_search(promised, real, files)
    for name, wanted, found in (
        ("ndots", promised.ndots, real.ndots),
        ("timeout", promised.timeout_seconds, real.timeout_seconds),
        ("attempts", promised.attempts, real.attempts),
    ):
        if wanted != found:
            yield Difference(text=f"{name} is {found}, and should be {wanted}", certain=True)
    if missing := _beside(promised.options, real.options):
        yield Difference(text=f"options {missing} are missing", certain=True)
    if added := _beside(real.options, promised.options):
        yield Difference(text=f"options {added} are neither the pod's nor Kubernetes'", certain=False)


def _of_servers(pod: Pod, promised: ResolvConf, real: ResolvConf, files: Files) -> Iterator[Difference]:
    cached = () if isinstance(files.cached, Absent) else files.cached
    strange = _beside(real.asked_servers, (*promised.servers, *cached, *CACHE_ADDRESSES))
    if strange and promised.servers:
        text = f"nameserver {strange}, and should be {' '.join(promised.asked_servers)}"
        yield Difference(text=text, certain=policy_of(pod) == "None")
    own = pod.dns_config.servers if pod.dns_config is not None else ()
    missing = _beside(own, real.servers)
    if missing and len(real.servers) < MOST_SERVERS:
        yield Difference(text=f"nameserver {missing} of the pod's dnsConfig is missing", certain=True)


def _of_search(promised: ResolvConf, real: ResolvConf, files: Files) -> Iterator[Difference]:
    if missing := _beside(promised.search, real.search):
        yield Difference(text=f"search domains {missing} are missing", certain=False)
    order = [each for each in real.search if each in promised.search]
    if not missing and order != list(promised.search):
        yield Difference(text=f"search domains in another order: {' '.join(order)}", certain=True)
    if isinstance(files.of_node, Absent):
        return
    node = parse_resolv_conf(files.of_node).search
    if added := _beside(real.search, (*promised.search, *node)):
        text = f"search domains {added} are neither the pod's nor in its node's /etc/resolv.conf"
        yield Difference(text=text, certain=False)


def _beside(some: tuple[str, ...], others: tuple[str, ...]) -> str:
    """Those that are not among the others; a few of them where there are many."""
    found = [each for each in dict.fromkeys(some) if each not in others]
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    return " ".join(found[:8]) + more
