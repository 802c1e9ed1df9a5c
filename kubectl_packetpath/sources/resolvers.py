"""The resolver's configuration that a pod really has, from its node's agent or from a recording.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
"""

from kubectl_packetpath.cluster.model import Pod
from kubectl_packetpath.cluster.naming.resolver import CACHE_DEVICE, Files
from kubectl_packetpath.snapshot import PodReference
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.state import NamespaceState, NodeState, NotRecorded
from kubectl_packetpath.sources.asking import Supplier
from kubectl_packetpath.walk.cluster import namespace_of
from kubectl_packetpath.walk.request import Client


def files_of(pod: Pod, supplier: Supplier) -> Files:
    """The pod's file and its node's, and whether NodeLocal DNSCache is there."""
    client = Client(
        pod=PodReference(uid=pod.uid, namespace=pod.namespace, name=pod.name), addresses=pod.addresses
    )
    supplier.open({pod.node})
    problem = supplier.read_resolver(pod.node, client)
    node = supplier.node(pod.node)
    if node is None:
        return Files(own=_unread(problem or f"{pod.node} was not looked at"))
    return Files(
        own=_own(pod, client, node, problem), of_node=_file(node.host()), cached=_cached(node.host())
    )


def _unread(why: str) -> Absent:
    return Absent(why=Why.UNREADABLE, detail=f"its file was not read: {why}")


def _own(pod: Pod, client: Client, node: NodeState, problem: str) -> str | Absent:
    if pod.host_network:
        return _unread("it shares its node's network with other pods, and which file is whose is not seen")
    try:
        state = namespace_of(node, client.pod, client.addresses)
    except NotRecorded:
        state = None
    if state is None:
        return _unread(problem or f"its network namespace was not found on {pod.node}")
    found = _file(state)
    return _unread(problem or found.detail or str(found.why)) if isinstance(found, Absent) else found


def _file(state: NamespaceState) -> str | Absent:
    try:
        return state.resolv_conf()
    except NotRecorded:
        return Absent(why=Why.NOT_ASKED)


def _cached(host: NamespaceState) -> tuple[str, ...] | Absent:
    """Addresses of the device on which NodeLocal DNSCache listens."""
    try:
        links, addresses = host.links(), host.addresses()
    except NotRecorded:
        return Absent(why=Why.NOT_ASKED)
    if isinstance(links, Absent):
        return links
    if isinstance(addresses, Absent):
        return addresses
    own = {link.index for link in links if link.name == CACHE_DEVICE}
    return tuple(str(each.address) for each in addresses if each.link in own)
