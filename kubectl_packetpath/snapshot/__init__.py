"""What one node's kernel held at one moment: the contract between agent and client.

The small tables (links, routes, neighbours) are plain records. The big ones (rules, set elements,
connections) stay the kernel's own bytes and are decoded by the readers of this package only where a
packet touches them, so an old recording profits from a better decoder and no evidence is lost.
"""

from dataclasses import dataclass, field

from kubectl_packetpath.snapshot.absent import Absent, Section, Why
from kubectl_packetpath.snapshot.cni import CniConfiguration
from kubectl_packetpath.snapshot.conntrack import Conntrack
from kubectl_packetpath.snapshot.ipsets import Ipset, RecentList
from kubectl_packetpath.snapshot.ipvs import IpvsTable, VirtualServer
from kubectl_packetpath.snapshot.links import InterfaceAddress, Link
from kubectl_packetpath.snapshot.nftables import Nftables
from kubectl_packetpath.snapshot.routing import ForwardingEntry, Neighbour, NexthopObject, PolicyRule, Route
from kubectl_packetpath.snapshot.sockets import Socket
from kubectl_packetpath.snapshot.sysctls import Sysctl
from kubectl_packetpath.snapshot.xfrm import WireguardDevice, XfrmPolicy, XfrmState
from kubectl_packetpath.snapshot.xtables import LegacyTable

SCHEMA = 4
"""Rises with every change of these records; `migrate` has one step for each rise."""

NOT_ASKED = Absent(why=Why.NOT_ASKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodReference:
    """The pod that a network namespace belongs to, as far as the node itself can tell.

    Any part may be empty: the client joins by `uid` first, then by name, then by address.
    """

    uid: str = ""
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespacePeer:
    """What a namespace calls another one: the number behind `link-netnsid`."""

    nsid: int
    identity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkNamespace:
    """One network namespace: the host's own, or a pod's."""

    identity: int
    """The inode number of `/proc/PID/ns/net`, unique on its node while the namespace lives."""
    is_host: bool = False
    name: str = ""
    """How the node names it (`cni-…` below /run/netns), for people; may be empty."""
    pod: PodReference | None = None
    peers: tuple[NamespacePeer, ...] = ()
    links: Section[Link] = NOT_ASKED
    addresses: Section[InterfaceAddress] = NOT_ASKED
    routes: Section[Route] = NOT_ASKED
    rules: Section[PolicyRule] = NOT_ASKED
    nexthops: Section[NexthopObject] = NOT_ASKED
    neighbours: Section[Neighbour] = NOT_ASKED
    fdb: Section[ForwardingEntry] = NOT_ASKED
    sysctls: Section[Sysctl] = NOT_ASKED
    legacy: Section[LegacyTable] = NOT_ASKED
    """Tables of the legacy iptables back end; an empty tuple means that none is loaded."""
    nftables: Nftables | Absent = NOT_ASKED
    """Native nftables and the nft back end of iptables, which is nftables with xt extensions."""
    ipsets: Section[Ipset] = NOT_ASKED
    recent: Section[RecentList] = NOT_ASKED
    conntrack: Conntrack | Absent = NOT_ASKED
    ipvs: Section[VirtualServer] = NOT_ASKED
    ipvs_connections: IpvsTable | Absent = NOT_ASKED
    xfrm_policies: Section[XfrmPolicy] = NOT_ASKED
    xfrm_states: Section[XfrmState] = NOT_ASKED
    wireguard: Section[WireguardDevice] = NOT_ASKED
    sockets: Section[Socket] = NOT_ASKED
    resolv_conf: str | Absent = NOT_ASKED
    socket_programs: Section[str] = NOT_ASKED
    """Where programs of control groups decide about packets of sockets, by bpftool's names of the places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One node at one moment, whole or narrowed to what a question touched."""

    schema: int = SCHEMA
    node: str
    """The Kubernetes node name, or the host name where there is no Kubernetes."""
    taken_at: str
    """UTC, ISO 8601 with seconds."""
    kernel: str = ""
    """As `uname -r` prints it."""
    agent_version: str = ""
    namespaces: tuple[NetworkNamespace, ...] = ()
    cni: Section[CniConfiguration] = NOT_ASKED
    troubles: tuple[str, ...] = field(default=())
    """What could not be read as a whole (a pod namespace that vanished, say), one sentence each."""

    @property
    def host(self) -> NetworkNamespace:
        """The node's own namespace; raises `LookupError` in a snapshot without one."""
        for namespace in self.namespaces:
            if namespace.is_host:
                return namespace
        raise LookupError(f"the snapshot of {self.node} has no host namespace")


__all__ = [
    "NOT_ASKED",
    "SCHEMA",
    "Absent",
    "NamespacePeer",
    "NetworkNamespace",
    "PodReference",
    "Section",
    "Snapshot",
    "Why",
]
