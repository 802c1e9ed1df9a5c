"""Recorded bytes as a state that a walk can read.

A whole recording knows that what it does not list was not there. A narrowed one raises `NotRecorded` for
what nobody asked, so that a question never takes "not read" for "not there".
"""

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

from kubectl_packetpath.snapshot import NamespacePeer, NetworkNamespace, PodReference, Snapshot
from kubectl_packetpath.snapshot.absent import Absent, Section, Why
from kubectl_packetpath.snapshot.conntrack import Conntrack, FlowKey
from kubectl_packetpath.snapshot.ipsets import Ipset, RecentList
from kubectl_packetpath.snapshot.ipvs import VirtualServer, client_of, written
from kubectl_packetpath.snapshot.links import Address, InterfaceAddress, Link
from kubectl_packetpath.snapshot.netlink import NetlinkError, attribute_map
from kubectl_packetpath.snapshot.nftables import (
    Nftables,
    NftChain,
    NftLookup,
    NftObject,
    NftSet,
    NftTable,
    RegisteredHook,
)
from kubectl_packetpath.snapshot.routing import ForwardingEntry, Neighbour, NexthopObject, PolicyRule, Route
from kubectl_packetpath.snapshot.set_lookup import SetIndex
from kubectl_packetpath.snapshot.sockets import Socket
from kubectl_packetpath.snapshot.state import NotRecorded
from kubectl_packetpath.snapshot.xfrm import WireguardDevice, XfrmPolicy, XfrmState
from kubectl_packetpath.snapshot.xtables import LegacyChain, LegacyTable
from kubectl_packetpath.snapshot.xtables_blob import BlobError, cut_chain

T = TypeVar("T")
CTA_TUPLE_ORIG, CTA_TUPLE_REPLY = 1, 2


class RecordedNamespace:
    """One network namespace of a recording."""

    def __init__(self, record: NetworkNamespace) -> None:
        self.record = record
        self._indexes: dict[tuple[int, str, str], SetIndex] = {}

    @property
    def identity(self) -> int:
        """Inode number of the namespace."""
        return self.record.identity

    @property
    def is_host(self) -> bool:
        """The node's own namespace."""
        return self.record.is_host

    @property
    def pod(self) -> PodReference | None:
        """Whose namespace it is."""
        return self.record.pod

    @property
    def peers(self) -> tuple[NamespacePeer, ...]:
        """The namespaces behind `link_netnsid`."""
        return self.record.peers

    def _asked(self, subject: str, value: T | Absent) -> T | Absent:
        if isinstance(value, Absent) and value.why is Why.NOT_ASKED:
            raise NotRecorded(f"{subject} of namespace {self.record.identity}")
        return value

    def links(self) -> Section[Link]:
        """All devices."""
        return self._asked("links", self.record.links)

    def addresses(self) -> Section[InterfaceAddress]:
        """All addresses of all devices."""
        return self._asked("addresses", self.record.addresses)

    def policy_rules(self) -> Section[PolicyRule]:
        """`ip rule`, both families, unsorted."""
        return self._asked("rules", self.record.rules)

    def routes(self) -> Section[Route]:
        """Routes of all tables, both families."""
        return self._asked("routes", self.record.routes)

    def nexthops(self) -> Section[NexthopObject]:
        """Next hop objects."""
        return self._asked("nexthops", self.record.nexthops)

    def neighbours(self) -> Section[Neighbour]:
        """ARP and neighbour discovery entries."""
        return self._asked("neighbours", self.record.neighbours)

    def fdb(self) -> Section[ForwardingEntry]:
        """Forwarding databases of bridges and tunnels."""
        return self._asked("fdb", self.record.fdb)

    @cached_property
    def _settings(self) -> dict[str, str]:
        section = self._asked("sysctls", self.record.sysctls)
        return {row.key: row.value for row in section} if isinstance(section, tuple) else {}

    def sysctl(self, key: str) -> str | None:
        """A setting by its path below /proc/sys; None: the kernel has none."""
        return self._settings.get(key)

    def sockets(self) -> Section[Socket]:
        """Listening and unconnected sockets."""
        return self._asked("sockets", self.record.sockets)

    def legacy_tables(self) -> Section[LegacyTable]:
        """The loaded legacy tables."""
        return self._asked("legacy tables", self.record.legacy)

    @cached_property
    def _chains(self) -> dict[tuple[int, str, int], LegacyChain]:
        tables = self.record.legacy if isinstance(self.record.legacy, tuple) else ()
        return {(t.family, t.name, c.offset): c for t in tables for c in t.chains}

    def legacy_chain(self, family: int, table: str, offset: int) -> LegacyChain | Absent:
        """The legacy chain whose first rule stands at this offset."""
        found = self._chains.get((family, table, offset))
        if found is not None:
            return found
        tables = self.legacy_tables()
        if isinstance(tables, Absent):
            return tables
        for each in tables:
            if (each.family, each.name) == (family, table):
                if each.blob is None:
                    raise NotRecorded(f"chain at {offset} of legacy table {table}")
                try:
                    chain = cut_chain(family, each.blob, offset, each.hook_entry, each.underflow)
                except BlobError as error:
                    return Absent(why=Why.UNPARSABLE, detail=str(error))
                self._chains[family, table, offset] = chain
                return chain
        return Absent(why=Why.NOT_LOADED, detail=f"no legacy table {table}")

    def _nft(self) -> Nftables | Absent:
        return self._asked("nftables", self.record.nftables)

    def nft_tables(self) -> Section[NftTable]:
        """All nftables tables."""
        state = self._nft()
        return state if isinstance(state, Absent) else state.tables

    def nft_base_chains(self) -> Section[NftChain]:
        """All base chains of all tables."""
        state = self._nft()
        if isinstance(state, Absent):
            return state
        return tuple(chain for chain in state.chains if chain.hook is not None)

    @cached_property
    def _nft_chains(self) -> dict[tuple[int, str, str], NftChain]:
        state = self._nft()
        chains = () if isinstance(state, Absent) else state.chains
        return {(chain.family, chain.table, chain.name): chain for chain in chains}

    @cached_property
    def _nft_sets(self) -> dict[tuple[int, str, str], NftSet]:
        state = self._nft()
        sets = () if isinstance(state, Absent) else state.sets
        return {(each.family, each.table, each.name): each for each in sets}

    def _not_there(self, what: str) -> Absent:
        state = self._nft()
        if isinstance(state, Absent):
            return state
        if not state.complete:
            raise NotRecorded(what)
        return Absent(why=Why.NOT_LOADED, detail=f"no {what}")

    def nft_chain(self, family: int, table: str, name: str) -> NftChain | Absent:
        """A chain with its rules."""
        chain = self._nft_chains.get((family, table, name))
        if chain is None:
            return self._not_there(f"chain {table} {name}")
        rules = self._asked(f"rules of {table} {name}", chain.rules)
        return rules if isinstance(rules, Absent) else chain

    def nft_set(self, family: int, table: str, name: str) -> NftSet | Absent:
        """The description of a set or map."""
        found = self._nft_sets.get((family, table, name))
        return self._not_there(f"set {table} {name}") if found is None else found

    def nft_elements(self, family: int, table: str, name: str) -> Section[bytes]:
        """All elements of a set or map."""
        found = self.nft_set(family, table, name)
        if isinstance(found, Absent):
            return found
        return self._asked(f"elements of {table} {name}", found.elements)

    def nft_lookup(self, family: int, table: str, name: str, key: bytes) -> NftLookup | Absent:
        """What the kernel finds in a set for this key."""
        found = self.nft_set(family, table, name)
        if isinstance(found, Absent):
            return found
        for known in found.lookups:
            if known.key == key:
                return known
        elements = self._asked(f"{key.hex()} in {table} {name}", found.elements)
        if isinstance(elements, Absent):
            return elements
        where = (family, table, name)
        try:
            if where not in self._indexes:
                self._indexes[where] = SetIndex(found.message, elements)
            return NftLookup(key=key, element=self._indexes[where].find(key))
        except (NetlinkError, KeyError) as error:
            return Absent(why=Why.UNPARSABLE, detail=f"set {table} {name}: {error}")

    def nft_object(self, family: int, table: str, type: int, name: str) -> NftObject | Absent:  # noqa: A002 - the kernel's word
        """A named object."""
        state = self._nft()
        if isinstance(state, Absent):
            return state
        for each in state.objects:
            if (each.family, each.table, each.type, each.name) == (family, table, type, name):
                return each
        return self._not_there(f"object {table} {name}")

    def registered_hooks(self) -> Section[RegisteredHook]:
        """The kernel's own list of hook functions."""
        state = self._nft()
        return state if isinstance(state, Absent) else self._asked("hooks", state.hooks)

    def ipset(self, index: int) -> Ipset | Absent:
        """An ipset by the number that rules use."""
        return self._set_where(f"ipset {index}", lambda each: each.index == index)

    def ipset_named(self, name: str) -> Ipset | Absent:
        """An ipset by name."""
        return self._set_where(f"ipset {name}", lambda each: each.name == name)

    def _set_where(self, what: str, fits: Callable[[Ipset], bool]) -> Ipset | Absent:
        sets = self._asked(what, self.record.ipsets)
        for each in () if isinstance(sets, Absent) else sets:
            if fits(each):
                self._asked(f"members of {what}", each.members)
                return each
        return sets if isinstance(sets, Absent) else Absent(why=Why.NOT_LOADED, detail=f"there is no {what}")

    def recent(self, name: str) -> RecentList | Absent:
        """A list of the recent match."""
        lists = self._asked("recent lists", self.record.recent)
        if isinstance(lists, Absent):
            return lists
        return next((each for each in lists if each.name == name), Absent(why=Why.NOT_LOADED, detail=name))

    def _tracking(self) -> Conntrack | Absent:
        return self._asked("conntrack", self.record.conntrack)

    def conntrack(self, flow: FlowKey) -> bytes | Absent | None:
        """The entry that holds this flow in either direction; None: there is none."""
        state = self._tracking()
        if isinstance(state, Absent):
            return state
        for answer in state.answers:
            if answer.key == flow:
                return answer.message
        entries = self._asked(f"the connection {flow}", state.entries)
        if isinstance(entries, Absent):
            return entries
        try:
            return self._entries.get(_tuple_key(flow))
        except (NetlinkError, KeyError) as error:
            return Absent(why=Why.UNPARSABLE, detail=f"connections: {error}")

    @cached_property
    def _entries(self) -> dict[bytes, bytes]:
        state = self._tracking()
        entries = () if isinstance(state, Absent) or isinstance(state.entries, Absent) else state.entries
        found: dict[bytes, bytes] = {}
        for message in entries:
            parts = attribute_map(message)
            for kind in (CTA_TUPLE_REPLY, CTA_TUPLE_ORIG):
                if kind in parts:
                    found[_tuple_bytes(parts[kind])] = message
        return found

    def conntrack_active(self) -> bool:
        """Whether connections are tracked in this namespace."""
        state = self._tracking()
        return not isinstance(state, Absent) and state.active

    def ipvs(self) -> Section[VirtualServer]:
        """IPVS virtual servers."""
        return self._asked("ipvs", self.record.ipvs)

    def ipvs_connections(self, client: Address) -> Section[bytes]:
        """What IPVS keeps for this client."""
        table = self._asked("connections of IPVS", self.record.ipvs_connections)
        if isinstance(table, Absent):
            return table
        for answer in table.answers:
            if answer.client == client:
                return answer.lines
        entries = self._asked(f"connections of {client} in IPVS", table.entries)
        if isinstance(entries, Absent):
            return entries
        wanted = written(client)
        return tuple(line for line in entries if client_of(line) == wanted)

    def xfrm_policies(self) -> Section[XfrmPolicy]:
        """IPsec policies."""
        return self._asked("xfrm policies", self.record.xfrm_policies)

    def xfrm_states(self) -> Section[XfrmState]:
        """IPsec associations."""
        return self._asked("xfrm states", self.record.xfrm_states)

    def wireguard(self) -> Section[WireguardDevice]:
        """WireGuard devices and peers."""
        return self._asked("wireguard", self.record.wireguard)

    def resolv_conf(self) -> str | Absent:
        """The pod's /etc/resolv.conf."""
        return self._asked("resolv.conf", self.record.resolv_conf)

    def socket_programs(self) -> Section[str]:
        """Places where programs of control groups decide; recordings of before schema 4 do not tell."""
        return self.record.socket_programs


class RecordedNode:
    """One node of a recording."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._namespaces = {record.identity: RecordedNamespace(record) for record in snapshot.namespaces}
        self._host = self._namespaces[snapshot.host.identity]

    @property
    def name(self) -> str:
        """The Kubernetes node name."""
        return self.snapshot.node

    @property
    def kernel(self) -> str:
        """As `uname -r` prints it."""
        return self.snapshot.kernel

    def host(self) -> RecordedNamespace:
        """The node's own namespace."""
        return self._host

    def namespace(self, identity: int) -> RecordedNamespace | None:
        """A namespace by its inode number; None: the agent could not see it."""
        return self._namespaces.get(identity)

    def namespaces(self) -> tuple[RecordedNamespace, ...]:
        """All namespaces that the agent saw, the host first."""
        others = (state for state in self._namespaces.values() if state is not self._host)
        return (self._host, *others)


def _tuple_bytes(nested: bytes) -> bytes:
    """A connection tuple as one comparable key: addresses, protocol and ports as they stand."""
    parts = attribute_map(nested)
    addresses = attribute_map(parts.get(1, b""))
    protocol = attribute_map(parts.get(2, b""))
    ends = b"".join(addresses[kind] for kind in sorted(addresses))
    number = protocol.get(1, b"\0")
    zone = parts.get(3, b"\0\0")
    if number in {b"\x01", b"\x3a"}:
        base = 4 if number == b"\x01" else 7
        ports = protocol.get(base, b"\0\0") + protocol.get(base + 1, b"\0") + protocol.get(base + 2, b"\0")
    else:
        ports = protocol.get(2, b"\0\0") + protocol.get(3, b"\0\0")
    return ends + number + ports + zone


def _tuple_key(flow: FlowKey) -> bytes:
    return (
        flow.source.packed
        + flow.destination.packed
        + bytes([flow.protocol])
        + flow.sport.to_bytes(2, "big")
        + flow.dport.to_bytes(2, "big")
        + flow.zone.to_bytes(2, "big")
    )
