"""The interface through which a walk reads one network namespace.

Recorded bytes implement it (`recorded.py`), and on a node the live kernel does, so the very same walk
runs on both. A reader asks for one chain, one element, one flow: the cost follows the packet's path.

Every method returns `Absent` when the subject is not there, and raises `NotRecorded` when a narrowed
recording was never asked for it: the walk lets that pass, and whoever runs the walk asks the node.
"""

from typing import Protocol

from kubectl_packetpath.snapshot import NamespacePeer, PodReference
from kubectl_packetpath.snapshot.absent import Absent, Section
from kubectl_packetpath.snapshot.conntrack import FlowKey
from kubectl_packetpath.snapshot.ipsets import Ipset, RecentList
from kubectl_packetpath.snapshot.ipvs import VirtualServer
from kubectl_packetpath.snapshot.links import Address, InterfaceAddress, Link
from kubectl_packetpath.snapshot.nftables import (
    NftChain,
    NftLookup,
    NftObject,
    NftSet,
    NftTable,
    RegisteredHook,
)
from kubectl_packetpath.snapshot.routing import ForwardingEntry, Neighbour, NexthopObject, PolicyRule, Route
from kubectl_packetpath.snapshot.sockets import Socket
from kubectl_packetpath.snapshot.xfrm import WireguardDevice, XfrmPolicy, XfrmState
from kubectl_packetpath.snapshot.xtables import LegacyChain, LegacyTable


class NotRecorded(LookupError):  # noqa: N818 - it is a question to be asked, not an error of the program
    """A narrowed recording does not hold this; the node has to be asked again."""


class NamespaceState(Protocol):
    """What a walk may read of one network namespace."""

    @property
    def identity(self) -> int:
        """Inode number of the namespace."""

    @property
    def is_host(self) -> bool:
        """The node's own namespace."""

    @property
    def pod(self) -> PodReference | None:
        """Whose namespace it is."""

    @property
    def peers(self) -> tuple[NamespacePeer, ...]:
        """The namespaces behind `link_netnsid`."""

    def links(self) -> Section[Link]:
        """All devices."""

    def addresses(self) -> Section[InterfaceAddress]:
        """All addresses of all devices."""

    def policy_rules(self) -> Section[PolicyRule]:
        """`ip rule`, both families, unsorted."""

    def routes(self) -> Section[Route]:
        """Routes of all tables, both families."""

    def nexthops(self) -> Section[NexthopObject]:
        """Next hop objects."""

    def neighbours(self) -> Section[Neighbour]:
        """ARP and neighbour discovery entries."""

    def fdb(self) -> Section[ForwardingEntry]:
        """Forwarding databases of bridges and tunnels."""

    def sysctl(self, key: str) -> str | None:
        """A setting by its path below /proc/sys, `net/ipv4/ip_forward`; None: the kernel has none."""

    def sockets(self) -> Section[Socket]:
        """Listening and unconnected sockets."""

    def legacy_tables(self) -> Section[LegacyTable]:
        """The loaded legacy tables; `blob` and `chains` may be empty: use `legacy_chain`."""

    def legacy_chain(self, family: int, table: str, offset: int) -> LegacyChain | Absent:
        """The legacy chain whose first rule stands at this offset (hook_entry, or a jump's target)."""

    def nft_tables(self) -> Section[NftTable]:
        """All nftables tables."""

    def nft_base_chains(self) -> Section[NftChain]:
        """All base chains of all tables, with their hook; their `rules` may be Absent."""

    def nft_chain(self, family: int, table: str, name: str) -> NftChain | Absent:
        """A chain with its rules."""

    def nft_set(self, family: int, table: str, name: str) -> NftSet | Absent:
        """The description of a set or map; its `elements` may be Absent(not_asked)."""

    def nft_elements(self, family: int, table: str, name: str) -> Section[bytes]:
        """All elements of a set or map: prefer `nft_lookup` where one key is wanted."""

    def nft_lookup(self, family: int, table: str, name: str, key: bytes) -> NftLookup | Absent:
        """What the kernel finds in a set for this key (intervals and concatenations included).

        A recording with all elements answers by its own lookup; `Absent(unparsable)` where it cannot.
        """

    def nft_object(self, family: int, table: str, type: int, name: str) -> NftObject | Absent:  # noqa: A002 - the kernel's word
        """A named object."""

    def registered_hooks(self) -> Section[RegisteredHook]:
        """The kernel's own list of hook functions, where it offers one."""

    def ipset(self, index: int) -> Ipset | Absent:
        """An ipset by the number that rules use, members included."""

    def ipset_named(self, name: str) -> Ipset | Absent:
        """An ipset by name."""

    def recent(self, name: str) -> RecentList | Absent:
        """A list of the recent match."""

    def conntrack(self, flow: FlowKey) -> bytes | Absent | None:
        """The entry that holds this flow in either direction (attributes); None: there is none."""

    def conntrack_active(self) -> bool:
        """Whether connections are tracked in this namespace."""

    def ipvs(self) -> Section[VirtualServer]:
        """IPVS virtual servers."""

    def ipvs_connections(self, client: Address) -> Section[bytes]:
        """What IPVS keeps for this client, templates included: lines of /proc/net/ip_vs_conn."""

    def xfrm_policies(self) -> Section[XfrmPolicy]:
        """IPsec policies."""

    def xfrm_states(self) -> Section[XfrmState]:
        """IPsec associations."""

    def wireguard(self) -> Section[WireguardDevice]:
        """WireGuard devices and peers."""

    def resolv_conf(self) -> str | Absent:
        """The pod's /etc/resolv.conf."""

    def socket_programs(self) -> Section[str]:
        """Places where programs of control groups decide about packets of sockets here, by bpftool's names."""


class NodeState(Protocol):
    """What a walk may read of one node."""

    @property
    def name(self) -> str:
        """The Kubernetes node name."""

    @property
    def kernel(self) -> str:
        """As `uname -r` prints it."""

    def host(self) -> NamespaceState:
        """The node's own namespace."""

    def namespace(self, identity: int) -> NamespaceState | None:
        """A namespace by its inode number; None: the agent could not see it."""

    def namespaces(self) -> tuple[NamespaceState, ...]:
        """All namespaces that the agent saw, the host first."""
