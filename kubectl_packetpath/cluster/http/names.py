"""The way of a pod's questions to whoever answers them: the cluster's DNS, NodeLocal DNSCache, or another server.

glibc asks the first server of the file, and the next ones only while that one is silent; with `rotate` it begins with each
in turn. musl asks all of them at once.

Sources: resolv.conf(5), musl src/network/res_msend.c;
Kubernetes: cluster/addons/dns/nodelocaldns/nodelocaldns.yaml
"""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

from kubectl_packetpath.cluster.ask import AskError, Target, TargetKind
from kubectl_packetpath.cluster.http.connections import Connection
from kubectl_packetpath.cluster.model import Cluster, Pod
from kubectl_packetpath.cluster.naming.resolv import MOST_LINE_BYTES, MOST_SERVERS
from kubectl_packetpath.cluster.naming.resolver import Resolver
from kubectl_packetpath.cluster.naming.resolving import Resolution
from kubectl_packetpath.cluster.question import Expansion, Question, Wish
from kubectl_packetpath.cluster.ways import expand

DNS_PORT = 53
UPSTREAM = ("kube-system", "kube-dns-upstream")
"""The Service by which NodeLocal DNSCache asks the cluster's DNS for what it does not remember."""


def to_servers(resolver: Resolver, pod: Pod, start: Target | None, cluster: Cluster) -> Iterator[Connection]:
    """The first server; every one of them, where they are asked in turn."""
    servers = resolver.conf.asked_servers
    asked = servers if "rotate" in resolver.conf.options else servers[:1]
    for number, server in enumerate(asked):
        title = (
            _title(resolver, server) if number == 0 else f"to the nameserver {server}, which is asked in turn"
        )
        expansion = _to(server, resolver, start, cluster)
        yield Connection(title=title, expansion=expansion, resolver=None if number else resolver)
    if resolver.cache:
        yield from _from_cache(pod, cluster)


def _title(resolver: Resolver, server: str) -> str:
    if resolver.cache:
        return f"to NodeLocal DNSCache: {resolver.cache}"
    if resolver.foreign or resolver.dns is None:
        return f"to the nameserver {server}"
    return "to the cluster's DNS"


def _to(server: str, resolver: Resolver, start: Target | None, cluster: Cluster) -> Expansion:
    """As a Service where the address is one of a Service; what a node holds itself is the node's own port."""
    address = ip_address(server.partition("%")[0])
    dns = resolver.dns if server == resolver.server and not resolver.cache else None
    target = Target(kind=TargetKind.ADDRESS, address=address, port=str(DNS_PORT))
    if dns is not None:
        target = Target(kind=TargetKind.SERVICE, namespace=dns.namespace, name=dns.name, port=str(DNS_PORT))
    try:
        found = expand(cluster, Wish(target=target, start=start, protocol="udp"))
    except AskError as error:
        return Expansion(questions=(), notes=(f"{error} {error.remedy}".strip(),))
    questions = (each for each in found.questions if each.destination == address)
    if server == resolver.server and (resolver.cache or (dns is None and not resolver.foreign)):
        questions = (_inside(each) for each in questions)
    return replace(found, questions=tuple(questions))


def _inside(question: Question) -> Question:
    """Nothing that a proxy has to translate, and nothing that may leave the cluster: the cluster's own DNS is asked."""
    return replace(question, way="Nameserver", subject="", expected=())


def _from_cache(pod: Pod, cluster: Cluster) -> Iterator[Connection]:
    """What the cache does not remember, it asks from its node, over TCP."""
    if cluster.service(*UPSTREAM) is None:
        return
    namespace, name = UPSTREAM
    target = Target(kind=TargetKind.SERVICE, namespace=namespace, name=name, port=str(DNS_PORT))
    start = Target(kind=TargetKind.NODE, name=pod.node)
    try:
        found = expand(cluster, Wish(target=target, start=start, protocol="tcp"))
    except AskError:
        return
    yield Connection(
        title="from the cache to the cluster's DNS, for what it does not remember", expansion=found
    )


def of_servers(resolver: Resolver) -> Iterator[str]:
    """What is to be said of who is asked."""
    conf = resolver.conf
    if resolver.cache:
        yield (
            "NodeLocal DNSCache answers what it remembers, for up to 30 seconds, and forwards the rest as its "
            "ConfigMap says, which is not read"
        )
    if resolver.from_file and resolver.zone != "cluster.local":
        yield f"the cluster's domain is {resolver.zone}, by the pod's search list"
    others = conf.asked_servers[1:]
    if others and "rotate" not in conf.options:
        wait = conf.timeout_seconds
        yield (
            f"{' and '.join(others)} would be asked only if {resolver.server} is silent for {wait} "
            f"second{'s' * (wait != 1)}; the way there is not looked at"
        )
    if len(conf.servers) > MOST_SERVERS:
        yield f"nameserver {' '.join(conf.servers[MOST_SERVERS:][:8])} is never asked: resolvers look at three"
    if conf.search_cut:
        yield f"only the first {len(conf.search)} search domains are followed here; there are more"


def of_musl(resolver: Resolver, glibc: Resolution, musl: Resolution) -> Iterator[str]:
    """Where a program with musl fares otherwise."""
    got = ", ".join(map(str, musl.addresses)) or "no address"
    if musl.addresses != glibc.addresses or musl.code != glibc.code:
        last = musl.asked[-1].candidate.name if musl.asked else "nothing"
        yield f"this is glibc's way; a program with musl (Alpine) stops at {last} and gets {got}"
    elif musl.questions != glibc.questions:
        yield f"this is glibc's way; a program with musl (Alpine) sends {musl.questions} questions"
    if len(resolver.musl.search) < len(resolver.conf.search):
        yield f"musl (Alpine) ignores lines of more than {MOST_LINE_BYTES} bytes, so the search list too"
    if len(resolver.musl.asked_servers) > 1:
        yield "musl (Alpine) asks all nameservers at once, and takes the first answer"


__all__ = ["of_musl", "of_servers", "to_servers"]
