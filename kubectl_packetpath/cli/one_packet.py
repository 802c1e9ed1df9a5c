"""The engineer's microscope: one packet, one node."""

from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

from kubectl_packetpath.cli.answering import show
from kubectl_packetpath.cli.install import Permission, ready_agents
from kubectl_packetpath.cli.options import Output
from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.ask import AskError, Target, TargetKind, find_node, find_pod
from kubectl_packetpath.cluster.model import Cluster
from kubectl_packetpath.cluster.objects import cluster_of
from kubectl_packetpath.packet import ICMP, ICMPV6, PROTOCOL_NUMBERS, TCP, Address, Packet
from kubectl_packetpath.snapshot import PodReference
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.state import NodeState
from kubectl_packetpath.sources.api import Access, Api
from kubectl_packetpath.sources.apiserver import NODES, Wanted, pods_of_node, read_objects
from kubectl_packetpath.sources.asking import ANY, CLIENT_PORT, Supplier, packet_question, traces_of
from kubectl_packetpath.sources.bundle import Bundle
from kubectl_packetpath.sources.naming import Namer
from kubectl_packetpath.walk.cluster import Place, PlaceKind, Query

PORTED = {"tcp", "udp", "sctp"}
ECHO_REQUEST = {ICMP: 8, ICMPV6: 128}


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPacket:
    """The packet as typed."""

    node: str
    device: str
    from_host: bool
    from_pod: str
    source: str
    destination: str
    protocol: str
    sport: int | None
    dport: int | None


def live(wanted: WantedPacket, access: Access, permission: Permission, output: Output) -> int:
    """Through a node of a live cluster."""
    api = Api.connect(access)
    place = _place(wanted, api.namespace)
    packet = packet_of(wanted)
    name = wanted.node or _only([node.name for node in _cluster(api, [NODES]).nodes])
    needed = [NODES, pods_of_node(name)]
    if place.pod is not None:
        needed.append(Wanted(kind="pods", path=f"/api/v1/namespaces/{place.pod.namespace}/pods"))
    cluster = _cluster(api, needed)
    find_node(cluster, name)
    with ready_agents(api, permission) as agents:
        return _answer(replace(place, node=name), packet, cluster, agents, output)


def _cluster(api: Api, needed: list[Wanted]) -> Cluster:
    return cluster_of(read_objects(api, needed), context=api.context, namespace=api.namespace)


def recorded(wanted: WantedPacket, file: Path, namespace: str, output: Output) -> int:
    """Through a node of a recording."""
    bundle = Bundle(file)
    name = wanted.node or _only(list(bundle.names))
    if name not in bundle.names:
        why = f": {bundle.missing[name]}" if name in bundle.missing else ""
        raise AskError(f"{file} has no node {name}{why}.", f"it has: {', '.join(bundle.names)}")
    cluster = replace(bundle.cluster, namespace=namespace or bundle.cluster.namespace)
    place = replace(_place(wanted, cluster.namespace), node=name)
    return _answer(place, packet_of(wanted), cluster, bundle, output)


def _only(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    raise AskError("Which node?", "--node " + " or --node ".join(names[:5]))


def _answer(place: Place, packet: Packet, cluster: Cluster, supplier: Supplier, output: Output) -> int:
    place = _with_addresses(place, cluster)
    _check_pod(place, cluster, supplier)
    _check(place, supplier)
    query = Query(title=f"{place.title}: {packet}", place=place, packet=packet, reply=False, one_node=True)
    (found,) = traces_of([query], cluster, supplier)
    named = Namer(cluster=cluster, node=supplier.node).named(found, None)
    way = Answered(question=packet_question(query), trace=named)
    missing = {name: why for name, why in supplier.missing.items() if name == place.node}
    return show(Answer(target=str(packet), ways=(way,), cluster=cluster, nodes_missing=missing), output)


def _with_addresses(place: Place, cluster: Cluster) -> Place:
    if place.pod is None:
        return place
    pod = cluster.pod(place.pod.namespace, place.pod.name)
    if pod is None:
        return place
    reference = PodReference(uid=pod.uid, namespace=pod.namespace, name=pod.name)
    return replace(place, pod=reference, addresses=pod.addresses)


def _check_pod(place: Place, cluster: Cluster, supplier: Supplier) -> None:
    """A pod by a name that nobody has, or of another node."""
    if place.pod is None:
        return
    if not cluster.nodes:
        _check_pod_alone(place, place.pod, supplier)
        return
    named = Target(kind=TargetKind.POD, namespace=place.pod.namespace, name=place.pod.name)
    pod = find_pod(cluster, named)
    if pod.node != place.node:
        raise AskError(f"Pod {pod.full_name} runs on {pod.node}, not on {place.node}.", f"--node {pod.node}")


def _check_pod_alone(place: Place, wanted: PodReference, supplier: Supplier) -> None:
    """In the snapshot of one node its namespaces alone tell; one whose pod has no name may be the one."""
    node = supplier.node(place.node)
    if node is None:
        return
    pods = [each.pod for each in node.namespaces() if not each.is_host]
    names = [f"{pod.namespace}/{pod.name}" if pod is not None and pod.name else "" for pod in pods]
    if "" not in names and f"{wanted.namespace}/{wanted.name}" not in names:
        has = f"it has: {', '.join(sorted(names)[:20])}" if names else "--from-host: it has no pod at all"
        raise AskError(f"{place.node} has no pod {wanted.namespace}/{wanted.name}.", has)


def _check(place: Place, supplier: Supplier) -> None:
    """Name what the node does not have, before the walk would trip over it."""
    node = supplier.node(place.node)
    if node is None or place.kind is not PlaceKind.DEVICE:
        return
    names = _devices(node)
    if names and place.device not in names:
        raise AskError(f"{place.node} has no device {place.device}.", f"it has: {', '.join(names[:20])}")


def _devices(node: NodeState) -> list[str]:
    links = node.host().links()
    return [] if isinstance(links, Absent) else [link.name for link in links]


def _place(wanted: WantedPacket, namespace: str) -> Place:
    given = [bool(wanted.device), wanted.from_host, bool(wanted.from_pod)]
    if sum(given) != 1:
        raise AskError("Say where the packet starts.", "one of --in IFACE, --from-host, --from-pod NS/NAME")
    if wanted.device:
        if not wanted.source:
            raise AskError("A packet that comes in by a device has a source.", "--src IP")
        return Place(kind=PlaceKind.DEVICE, node=wanted.node, device=wanted.device)
    if wanted.from_host:
        return Place(kind=PlaceKind.HOST, node=wanted.node)
    home, _, name = wanted.from_pod.rpartition("/")
    reference = PodReference(namespace=home or namespace, name=name)
    return Place(kind=PlaceKind.POD, node=wanted.node, pod=reference)


def packet_of(wanted: WantedPacket) -> Packet:
    """The packet as the walk takes it."""
    destination = _address(wanted.destination)
    source = _address(wanted.source) if wanted.source else ANY[destination.version]
    if source.version != destination.version:
        raise AskError("Source and destination are of different IP versions.")
    number = PROTOCOL_NUMBERS.get(wanted.protocol.lower())
    if number is None:
        raise AskError(f"{wanted.protocol} is no protocol known here.", "tcp, udp, sctp, icmp or icmpv6")
    ported = wanted.protocol.lower() in PORTED
    if ported and wanted.dport is None:
        raise AskError(f"{wanted.protocol} needs a destination port.", "--dport 80")
    return Packet(
        source=source,
        destination=destination,
        protocol=number,
        sport=(wanted.sport or CLIENT_PORT) if ported else None,
        dport=wanted.dport if ported else None,
        sport_chosen=ported and wanted.sport is None,
        icmp_type=ECHO_REQUEST.get(number),
        icmp_code=0 if number in ECHO_REQUEST else None,
        icmp_id=1 if number in ECHO_REQUEST else None,
        tcp_flags=0x02 if number == TCP else 0,
    )


def _address(text: str) -> Address:
    try:
        return ip_address(text.strip("[]"))
    except ValueError as error:
        raise AskError(
            f"{text} is not an IP address.", "of a pod or Service: kubectl get pod,svc -o wide"
        ) from error
