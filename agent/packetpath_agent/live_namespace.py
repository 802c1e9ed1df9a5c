"""One live network namespace behind the interface through which a walk reads.

Everything is read once, when it is first asked for, and kept: what is kept is what a question touched.
"""

import errno
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar, cast

from kubectl_packetpath.snapshot import NOT_ASKED, NamespacePeer, NetworkNamespace, PodReference
from kubectl_packetpath.snapshot.absent import Absent, Section, Why
from kubectl_packetpath.snapshot.conntrack import FlowFilter, FlowKey
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
from packetpath_agent import files, netns
from packetpath_agent.collectors import (
    cgroups,
    ipvs,
    links,
    neighbours,
    routes,
    sets,
    settings,
    sockets,
    wireguard,
    xfrm,
    xtables,
)
from packetpath_agent.live_conntrack import LiveConntrack
from packetpath_agent.live_ipvs import LiveIpvs
from packetpath_agent.live_legacy import LiveLegacy
from packetpath_agent.live_nftables import LiveNftables
from packetpath_agent.live_sets import LiveSets
from packetpath_agent.netns import Found
from packetpath_agent.pods import MOST_PROCESSES
from packetpath_agent.reasons import attempted
from packetpath_agent.wire import NETLINK_ROUTE, Netlink

T = TypeVar("T")
SUBJECTS = (
    "links", "addresses", "routes", "rules", "nexthops", "neighbours", "fdb", "sysctls", "recent",
    "ipvs", "xfrm_policies", "xfrm_states", "wireguard", "sockets", "resolv_conf",
    "socket_programs",
)  # fmt: skip


class LiveNamespace:
    """One network namespace, as its kernel state is now."""

    def __init__(self, found: Found, *, is_host: bool, pod: PodReference | None) -> None:
        self._found, self._is_host, self._pod = found, is_host, pod
        self._descriptor = os.open(found.path, os.O_RDONLY | os.O_CLOEXEC)
        self._kept: dict[str, object] = {}
        self._peers: Callable[[], tuple[NamespacePeer, ...]] | tuple[NamespacePeer, ...] = ()
        self._settings: dict[str, str] | None = None
        self._route: Netlink | None = None
        self.nft = LiveNftables(self._inside)
        self._legacy = LiveLegacy(lambda: self._read("legacy", xtables.tables))
        self._sets = LiveSets(self._inside)
        self._connections = LiveConntrack(self._inside, self.nft.hooks)
        self._balanced = LiveIpvs(self._inside)

    def close(self) -> None:
        """Let go of the namespace and of the sockets in it."""
        os.close(self._descriptor)
        for each in (self.nft, self._sets, self._connections):
            each.close()
        if self._route is not None:
            self._route.close()

    def _inside(self) -> AbstractContextManager[None]:
        return netns.inside(self._descriptor)

    @property
    def descriptor(self) -> int:
        """An open file of the namespace."""
        return self._descriptor

    @property
    def identity(self) -> int:
        """Inode number of the namespace."""
        return self._found.identity

    @property
    def is_host(self) -> bool:
        """The node's own namespace."""
        return self._is_host

    @property
    def pod(self) -> PodReference | None:
        """Whose namespace it is."""
        return self._pod

    @property
    def peers(self) -> tuple[NamespacePeer, ...]:
        """The namespaces behind `link_netnsid`."""
        if callable(self._peers):
            self._peers = self._peers()
        return self._peers

    def set_peers(self, peers: Callable[[], tuple[NamespacePeer, ...]] | tuple[NamespacePeer, ...]) -> None:
        """Known once all namespaces are; or found when they are asked for."""
        self._peers = peers

    def _read(self, subject: str, read: Callable[[], T]) -> T | Absent:
        """Each subject whole, or why not; kept from then on."""
        if subject not in self._kept:

            def entered() -> T:
                with self._inside():
                    return read()

            self._kept[subject] = attempted(entered)
        return cast("T | Absent", self._kept[subject])

    def _table(self, subject: str, read: Callable[[Netlink], T]) -> T | Absent:
        def asked() -> T:
            if self._route is None:
                self._route = Netlink(NETLINK_ROUTE)
            return read(self._route)

        return self._read(subject, asked)

    def links(self) -> Section[Link]:
        """All devices."""
        return self._table("links", links.links)

    def addresses(self) -> Section[InterfaceAddress]:
        """All addresses of all devices."""
        return self._table("addresses", links.addresses)

    def policy_rules(self) -> Section[PolicyRule]:
        """`ip rule`, both families, unsorted."""
        return self._table("rules", routes.rules)

    def routes(self) -> Section[Route]:
        """Routes of all tables, both families."""
        return self._table("routes", routes.routes)

    def nexthops(self) -> Section[NexthopObject]:
        """Next hop objects."""
        return self._table("nexthops", routes.nexthops)

    def neighbours(self) -> Section[Neighbour]:
        """ARP and neighbour discovery entries."""
        return self._table("neighbours", neighbours.neighbours)

    def fdb(self) -> Section[ForwardingEntry]:
        """Forwarding databases of bridges and tunnels."""
        return self._table("fdb", neighbours.fdb)

    def sysctl(self, key: str) -> str | None:
        """A setting by its path below /proc/sys; None: the kernel has none."""
        if self._settings is None:
            section = self._read("sysctls", settings.settings)
            self._settings = {row.key: row.value for row in section} if isinstance(section, tuple) else {}
        return self._settings.get(key)

    def sockets(self) -> Section[Socket]:
        """Listening and unconnected sockets."""
        return self._read("sockets", sockets.sockets)

    def legacy_tables(self) -> Section[LegacyTable]:
        """The loaded legacy tables."""
        return self._legacy.tables()

    def legacy_chain(self, family: int, table: str, offset: int) -> LegacyChain | Absent:
        """The legacy chain whose first rule stands at this offset."""
        return self._legacy.chain(family, table, offset)

    def nft_tables(self) -> Section[NftTable]:
        """All nftables tables."""
        return self.nft.tables()

    def nft_base_chains(self) -> Section[NftChain]:
        """All base chains of all tables."""
        return self.nft.base_chains()

    def nft_chain(self, family: int, table: str, name: str) -> NftChain | Absent:
        """A chain with its rules."""
        return self.nft.chain(family, table, name)

    def nft_set(self, family: int, table: str, name: str) -> NftSet | Absent:
        """The description of a set or map."""
        return self.nft.set(family, table, name)

    def nft_elements(self, family: int, table: str, name: str) -> Section[bytes]:
        """All elements of a set or map."""
        return self.nft.elements(family, table, name)

    def nft_lookup(self, family: int, table: str, name: str, key: bytes) -> NftLookup | Absent:
        """What the kernel finds in a set for this key."""
        return self.nft.lookup(family, table, name, key)

    def nft_object(self, family: int, table: str, type: int, name: str) -> NftObject | Absent:  # noqa: A002 - the kernel's word
        """A named object."""
        return self.nft.object(family, table, type, name)

    def registered_hooks(self) -> Section[RegisteredHook]:
        """The kernel's own list of hook functions."""
        return self.nft.hooks()

    def ipset(self, index: int) -> Ipset | Absent:
        """An ipset by the number that rules use."""
        return self._sets.numbered(index)

    def ipset_named(self, name: str) -> Ipset | Absent:
        """An ipset by name."""
        return self._sets.named(name)

    def recent(self, name: str) -> RecentList | Absent:
        """A list of the recent match."""
        lists = self._read("recent", sets.recent)
        if isinstance(lists, Absent):
            return lists
        return next((each for each in lists if each.name == name), Absent(why=Why.NOT_LOADED, detail=name))

    def conntrack(self, flow: FlowKey) -> bytes | Absent | None:
        """The entry that holds this flow in either direction; None: there is none."""
        return self._connections.find(flow)

    def conntrack_active(self) -> bool:
        """Whether connections are tracked in this namespace."""
        return self._connections.active()

    def count_flows(self, key: FlowFilter) -> None:
        """Count the existing connections to one address and port."""
        self._connections.count(key)

    def ipvs(self) -> Section[VirtualServer]:
        """IPVS virtual servers."""
        return self._read("ipvs", ipvs.virtual_servers)

    def ipvs_connections(self, client: Address) -> Section[bytes]:
        """What IPVS keeps for this client."""
        return self._balanced.find(client)

    def xfrm_policies(self) -> Section[XfrmPolicy]:
        """IPsec policies."""
        return self._read("xfrm_policies", xfrm.policies)

    def xfrm_states(self) -> Section[XfrmState]:
        """IPsec associations."""
        return self._read("xfrm_states", xfrm.states)

    def wireguard(self) -> Section[WireguardDevice]:
        """WireGuard devices and peers."""
        known = self.links()
        if isinstance(known, Absent):
            return known
        indexes = tuple(link.index for link in known if link.kind == "wireguard")
        return self._read("wireguard", lambda: wireguard.devices(indexes))

    def socket_programs(self) -> Section[str]:
        """Places where programs of control groups decide about packets of sockets here."""
        pids = () if self._is_host else self._found.pids[:MOST_PROCESSES]
        nobody = not pids and not self._is_host
        return self._read("socket_programs", lambda: () if nobody else cgroups.programs(pids))

    def resolv_conf(self) -> str | Absent:
        """The pod's /etc/resolv.conf, or the node's."""
        if self._is_host:
            return self._read("resolv_conf", lambda: files.inside(files.host_root(), "etc/resolv.conf"))
        pids = self._found.pids or ((self._found.pid,) if self._found.pid is not None else ())
        return self._read("resolv_conf", lambda: _of_any(pids))

    def read_base(self) -> None:
        """The small tables, which nearly every walk needs."""
        for read in (
            self.links, self.addresses, self.policy_rules, self.routes, self.nexthops, self.neighbours, self.fdb,
            self.sockets, self.conntrack_active, lambda: self.sysctl(""),
        ):  # fmt: skip
            read()

    def read_everything(self, *, packed: bool = False) -> None:
        """All there is; packed, the rulesets can only be recorded."""
        self.read_base()
        for read in (
            self.legacy_tables, lambda: self.nft.read_everything(packed=packed), self._sets.read_everything, lambda: self.recent(""),
            self._connections.read_everything, self.ipvs, self._balanced.read_everything, self.xfrm_policies, self.xfrm_states,
            self.wireguard, self.resolv_conf, self.socket_programs,
        ):  # fmt: skip
            read()

    def narrowed(self, *, whole: bool = False) -> NetworkNamespace:
        """What was asked for, as a record."""
        return NetworkNamespace(
            identity=self.identity,
            is_host=self._is_host,
            name=self._found.name,
            pod=self._pod,
            peers=self.peers,
            legacy=self._legacy.narrowed(whole=whole),
            nftables=self.nft.narrowed(),
            ipsets=self._sets.narrowed(),
            conntrack=self._connections.narrowed(),
            ipvs_connections=self._balanced.narrowed(),
            **{subject: self._kept.get(subject, NOT_ASKED) for subject in SUBJECTS},  # type: ignore[arg-type]
        )


def _of_any(pids: tuple[int, ...]) -> str:
    """The file as the first process sees it that has one: a sandbox's own image may have none."""
    problem = OSError(errno.ESRCH, "no process is in this namespace")
    for number, pid in enumerate(pids[:MOST_PROCESSES]):
        try:
            return files.inside(f"/proc/{pid}/root", "etc/resolv.conf")
        except OSError as error:
            problem = problem if number else error
    raise problem
