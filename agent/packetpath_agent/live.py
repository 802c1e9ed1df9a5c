"""The live kernel behind the interface through which a walk reads.

Everything is read once, when it is first asked for, and kept: what is kept is what a question touched, and
`narrowed` tells exactly that. A whole snapshot is the same thing after everything was asked for.
"""

import errno
import os
import platform
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from kubectl_packetpath.snapshot import (
    NOT_ASKED,
    NamespacePeer,
    NetworkNamespace,
    PodReference,
    Snapshot,
)
from kubectl_packetpath.snapshot.absent import Absent, Section, Why
from kubectl_packetpath.snapshot.cni import CniConfiguration
from kubectl_packetpath.snapshot.conntrack import Conntrack, FlowAnswer, FlowKey
from kubectl_packetpath.snapshot.ipsets import Ipset, RecentList
from kubectl_packetpath.snapshot.ipvs import VirtualServer
from kubectl_packetpath.snapshot.links import InterfaceAddress, Link
from kubectl_packetpath.snapshot.nftables import NftObject, NftTable, RegisteredHook
from kubectl_packetpath.snapshot.routing import ForwardingEntry, Neighbour, NexthopObject, PolicyRule, Route
from kubectl_packetpath.snapshot.sockets import Socket
from kubectl_packetpath.snapshot.xfrm import WireguardDevice, XfrmPolicy, XfrmState
from kubectl_packetpath.snapshot.xtables import LegacyChain, LegacyTable
from kubectl_packetpath.snapshot.xtables_blob import BlobError, cut_chain
from packetpath_agent import netns
from packetpath_agent.collectors import connections, routes, sets, settings, sockets, xtables
from packetpath_agent.collectors import xfrm as ipsec
from packetpath_agent.live_nftables import LiveNftables
from packetpath_agent.netns import Found
from packetpath_agent.wire import InterruptedDumpError

T = TypeVar("T")
MOST_CNI_BYTES = 65536


class LiveNamespace:
    """One network namespace, as its kernel state is now."""

    def __init__(self, found: Found, *, is_host: bool, pod: PodReference | None) -> None:
        self._found, self._is_host, self._pod = found, is_host, pod
        self._descriptor = os.open(found.path, os.O_RDONLY | os.O_CLOEXEC)
        self._kept: dict[str, Any] = {}
        self._peers: tuple[NamespacePeer, ...] = ()
        self._legacy_chains: dict[tuple[int, str, int], LegacyChain] = {}
        self._settings: dict[str, str] = {}
        self._answers: dict[FlowKey, FlowAnswer] = {}
        self._connections: connections.ConnectionReader | None = None
        self.nft = LiveNftables(self._inside)

    def close(self) -> None:
        """Let go of the namespace and of the sockets in it."""
        os.close(self._descriptor)
        self.nft.close()
        if self._connections is not None:
            self._connections.close()

    @contextmanager
    def _inside(self) -> Iterator[None]:
        with netns.inside(self._descriptor):
            yield

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
        return self._peers

    def set_peers(self, peers: tuple[NamespacePeer, ...]) -> None:
        """Found once all namespaces are known."""
        self._peers = peers

    def _read(self, subject: str, read: Callable[[], T]) -> T | Absent:
        """Each subject whole, or why not; kept from then on."""
        if subject not in self._kept:
            try:
                with self._inside():
                    self._kept[subject] = read()
            except (OSError, InterruptedDumpError, ValueError, KeyError, IndexError) as error:
                self._kept[subject] = why_absent(error)
        return cast("T | Absent", self._kept[subject])

    def _routing(self, subject: str, read: Callable[[Any], T]) -> T | Absent:
        def opened() -> T:
            with routes.opened() as route:
                return read(route)

        return self._read(subject, opened)

    def links(self) -> Section[Link]:
        """All devices."""
        return self._routing("links", routes.links)

    def addresses(self) -> Section[InterfaceAddress]:
        """All addresses of all devices."""
        return self._routing("addresses", routes.addresses)

    def policy_rules(self) -> Section[PolicyRule]:
        """`ip rule`, both families, unsorted."""
        return self._routing("rules", routes.rules)

    def routes(self) -> Section[Route]:
        """Routes of all tables, both families."""
        return self._routing("routes", routes.routes)

    def nexthops(self) -> Section[NexthopObject]:
        """Next hop objects."""
        return self._read("nexthops", routes.nexthops)

    def neighbours(self) -> Section[Neighbour]:
        """ARP and neighbour discovery entries."""
        return self._routing("neighbours", routes.neighbours)

    def fdb(self) -> Section[ForwardingEntry]:
        """Forwarding databases of bridges and tunnels."""
        return self._routing("fdb", routes.fdb)

    def sysctl(self, key: str) -> str | None:
        """A setting by its path below /proc/sys; None: the kernel has none."""
        section = self._read("sysctls", settings.settings)
        if not self._settings and isinstance(section, tuple):
            self._settings = {row.key: row.value for row in section}
        return self._settings.get(key)

    def sockets(self) -> Section[Socket]:
        """Listening and unconnected sockets."""
        return self._read("sockets", sockets.sockets)

    def legacy_tables(self) -> Section[LegacyTable]:
        """The loaded legacy tables."""
        return self._read("legacy", xtables.tables)

    def legacy_chain(self, family: int, table: str, offset: int) -> LegacyChain | Absent:
        """The legacy chain whose first rule stands at this offset."""
        tables = self.legacy_tables()
        if isinstance(tables, Absent):
            return tables
        for each in tables:
            if (each.family, each.name) == (family, table) and each.blob is not None:
                key = (family, table, offset)
                if key not in self._legacy_chains:
                    try:
                        self._legacy_chains[key] = cut_chain(
                            family, each.blob, offset, each.hook_entry, each.underflow
                        )
                    except BlobError as error:
                        return Absent(why=Why.UNPARSABLE, detail=str(error))
                return self._legacy_chains[key]
        return Absent(why=Why.NOT_LOADED, detail=f"no legacy table {table}")

    def nft_tables(self) -> Section[NftTable]:
        """All nftables tables."""
        return self.nft.tables()

    def nft_base_chains(self) -> Any:
        """All base chains of all tables."""
        return self.nft.base_chains()

    def nft_chain(self, family: int, table: str, name: str) -> Any:
        """A chain with its rules."""
        return self.nft.chain(family, table, name)

    def nft_set(self, family: int, table: str, name: str) -> Any:
        """The description of a set or map."""
        return self.nft.set(family, table, name)

    def nft_elements(self, family: int, table: str, name: str) -> Any:
        """All elements of a set or map."""
        return self.nft.elements(family, table, name)

    def nft_lookup(self, family: int, table: str, name: str, key: bytes) -> Any:
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
        return self._ipset(lambda each: each.index == index, str(index))

    def ipset_named(self, name: str) -> Ipset | Absent:
        """An ipset by name."""
        return self._ipset(lambda each: each.name == name, name)

    def _ipset(self, fits: Callable[[Ipset], bool], what: str) -> Ipset | Absent:
        found = self._read("ipsets", sets.ipsets)
        if isinstance(found, Absent):
            return found
        gone = Absent(why=Why.NOT_LOADED, detail=f"there is no ipset {what}")
        return next((each for each in found if fits(each)), gone)

    def recent(self, name: str) -> RecentList | Absent:
        """A list of the recent match."""
        lists = self._read("recent", sets.recent)
        if isinstance(lists, Absent):
            return lists
        return next((each for each in lists if each.name == name), Absent(why=Why.NOT_LOADED, detail=name))

    def _reader(self) -> connections.ConnectionReader:
        if self._connections is None:
            with self._inside():
                self._connections = connections.ConnectionReader()
        return self._connections

    def conntrack(self, flow: FlowKey) -> bytes | Absent | None:
        """The entry that holds this flow in either direction; None: there is none."""
        if flow not in self._answers:
            if not self.conntrack_active():
                return None
            try:
                self._answers[flow] = FlowAnswer(key=flow, message=self._reader().find(flow))
            except OSError as error:
                return why_absent(error)
        return self._answers[flow].message

    def conntrack_active(self) -> bool:
        """Whether connections are tracked in this namespace."""
        fill = self._read("fill", lambda: self._reader().fill())
        return not isinstance(fill, Absent)

    def ipvs(self) -> Section[VirtualServer]:
        """IPVS virtual servers."""
        return self._read("ipvs", ipsec.virtual_servers)

    def xfrm_policies(self) -> Section[XfrmPolicy]:
        """IPsec policies."""
        return self._read("xfrm_policies", ipsec.policies)

    def xfrm_states(self) -> Section[XfrmState]:
        """IPsec associations."""
        return self._read("xfrm_states", ipsec.states)

    def wireguard(self) -> Section[WireguardDevice]:
        """WireGuard devices and peers."""
        links = self.links()
        if isinstance(links, Absent):
            return links
        if any(link.kind == "wireguard" for link in links):
            return Absent(why=Why.UNREADABLE, detail="peers of WireGuard devices are not read yet")
        return ()

    def resolv_conf(self) -> str | Absent:
        """The pod's /etc/resolv.conf."""
        if self._found.pid is None:
            return Absent(why=Why.UNREADABLE, detail="no process is in this namespace")
        return self._read("resolv_conf", lambda: netns.resolv_conf(self._found))

    def read_base(self) -> None:
        """The small tables, which nearly every walk needs."""
        for read in (self.links, self.addresses, self.policy_rules, self.routes, self.nexthops):
            read()
        self.neighbours()
        self.fdb()
        self._read("sysctls", settings.settings)
        self.sockets()
        self.conntrack_active()

    def read_everything(self) -> None:
        """All there is."""
        self.read_base()
        self.legacy_tables()
        self.nft.read_everything()
        self._read("ipsets", sets.ipsets)
        self._read("recent", sets.recent)
        self._read("entries", lambda: self._reader().entries())
        self._read("statistics", lambda: self._reader().statistics())
        self.ipvs()
        self.xfrm_policies()
        self.xfrm_states()
        self.wireguard()
        if not self._is_host:
            self.resolv_conf()

    def narrowed(self, *, whole: bool = False) -> NetworkNamespace:
        """What was asked for, as a record."""
        kept = self._kept
        return NetworkNamespace(
            identity=self.identity,
            is_host=self._is_host,
            name=self._found.name,
            pod=self._pod,
            peers=self._peers,
            legacy=self._legacy(whole=whole),
            nftables=self.nft.narrowed(),
            conntrack=self._tracked(),
            **{
                subject: kept.get(subject, NOT_ASKED)
                for subject in (
                    "links", "addresses", "routes", "rules", "nexthops", "neighbours", "fdb", "ipsets", "recent",
                    "ipvs", "xfrm_policies", "xfrm_states", "sockets", "resolv_conf", "sysctls",
                )
            },
            wireguard=self.wireguard() if "links" in kept else NOT_ASKED,
        )  # fmt: skip

    def _legacy(self, *, whole: bool) -> Section[LegacyTable]:
        tables = self._kept.get("legacy", NOT_ASKED)
        if isinstance(tables, Absent) or whole:
            return cast("Section[LegacyTable]", tables)
        return tuple(
            replace(
                table,
                blob=None,
                chains=tuple(
                    chain
                    for (family, name, _), chain in self._legacy_chains.items()
                    if (family, name) == (table.family, table.name)
                ),
            )
            for table in tables
        )

    def _tracked(self) -> Conntrack | Absent:
        fill = self._kept.get("fill", NOT_ASKED)
        if isinstance(fill, Absent):
            return fill
        entries = self._kept.get("entries", NOT_ASKED)
        statistics = self._kept.get("statistics", ())
        return Conntrack(
            entries=entries,
            answers=tuple(self._answers.values()),
            count=fill[0],
            maximum=fill[1],
            statistics=() if isinstance(statistics, Absent) else statistics,
        )


class LiveNode:
    """This machine as a node."""

    def __init__(self, name: str | None = None) -> None:
        self._name = name or os.environ.get("NODE_NAME") or socket.gethostname()
        self._troubles: list[str] = []
        self._states: dict[int, LiveNamespace] = {}
        self._add(netns.own(), is_host=True)
        for found in netns.others():
            self._add(found, is_host=False)
        self._find_peers()

    def _add(self, found: Found, *, is_host: bool) -> None:
        try:
            pod = None if is_host else netns.pod_of(found)
            self._states[found.identity] = LiveNamespace(found, is_host=is_host, pod=pod)
        except OSError as error:
            self._troubles.append(f"namespace {found.name or found.identity}: {error.strerror or error}")

    def _find_peers(self) -> None:
        for state in list(self._states.values()):
            others = {s.identity: s.descriptor for s in self._states.values() if s is not state}
            if not state.is_host:
                host = self.host()
                others = {host.identity: host.descriptor}
            try:
                with netns.inside(state.descriptor):
                    state.set_peers(ipsec.peers(others))
            except OSError as error:
                self._troubles.append(f"namespace {state.identity}: {error.strerror or error}")
                if not state.is_host:
                    self._states.pop(state.identity).close()

    def close(self) -> None:
        """Let go of everything."""
        for state in self._states.values():
            state.close()

    @property
    def name(self) -> str:
        """The Kubernetes node name."""
        return self._name

    @property
    def kernel(self) -> str:
        """As `uname -r` prints it."""
        return platform.release()

    def host(self) -> LiveNamespace:
        """The node's own namespace."""
        return next(state for state in self._states.values() if state.is_host)

    def namespace(self, identity: int) -> LiveNamespace | None:
        """A namespace by its inode number; None: it could not be entered."""
        return self._states.get(identity)

    def namespaces(self) -> tuple[LiveNamespace, ...]:
        """All namespaces, the host first."""
        return tuple(sorted(self._states.values(), key=lambda state: not state.is_host))

    def read_base(self) -> None:
        """The node's small tables, and which namespaces there are; the addresses of those that no pod claims."""
        self.host().read_base()
        for state in self.namespaces()[1:]:
            if state.pod is None:
                state.addresses()

    def read_everything(self) -> None:
        """All there is, in every namespace."""
        for state in self.namespaces():
            state.read_everything()

    def snapshot(self, *, whole: bool = False) -> Snapshot:
        """What was read so far."""
        return Snapshot(
            node=self._name,
            taken_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            kernel=self.kernel,
            namespaces=tuple(state.narrowed(whole=whole) for state in self.namespaces()),
            cni=self._cni(),
            troubles=tuple(self._troubles),
        )

    def _cni(self) -> Section[CniConfiguration]:
        folder = Path(os.environ.get("PACKETPATH_HOST_ROOT", "/"), "etc/cni/net.d")
        try:
            files = sorted(path for path in folder.iterdir() if path.is_file())
            texts = [(path.name, path.read_bytes()[:MOST_CNI_BYTES]) for path in files]
        except FileNotFoundError:
            return ()
        except OSError as error:
            return why_absent(error)
        return tuple(
            CniConfiguration(file=name, text=data.decode("utf-8", "backslashreplace"))
            for name, data in texts
            if name.endswith((".conf", ".conflist", ".json"))
        )


def why_absent(error: Exception) -> Absent:
    """The reason in an error."""
    if isinstance(error, PermissionError):
        return Absent(why=Why.NOT_PERMITTED, detail=str(error))
    missing = {errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EINVAL}
    if isinstance(error, OSError) and error.errno in missing:
        return Absent(why=Why.NOT_LOADED, detail=str(error))
    if isinstance(error, OSError):
        return Absent(why=Why.UNREADABLE, detail=str(error))
    if isinstance(error, InterruptedDumpError):
        return Absent(why=Why.UNREADABLE, detail="the table kept changing while it was read")
    return Absent(why=Why.UNPARSABLE, detail=str(error))
