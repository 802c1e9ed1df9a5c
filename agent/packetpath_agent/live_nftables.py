"""The nftables part of a live namespace: one chain, set or element at a time, of one generation."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from kubectl_packetpath.snapshot import NOT_ASKED
from kubectl_packetpath.snapshot.absent import Absent, Section, Why
from kubectl_packetpath.snapshot.netlink import NetlinkError
from kubectl_packetpath.snapshot.nftables import (
    Nftables,
    NftChain,
    NftLookup,
    NftObject,
    NftSet,
    NftTable,
    RegisteredHook,
)
from kubectl_packetpath.snapshot.set_lookup import SetIndex
from packetpath_agent.collectors.nftables import NftReader
from packetpath_agent.wire import MOST_TRIES, InterruptedDumpError

Key = tuple[int, str, str]
NETFILTER_FAMILIES = (1, 2, 3, 5, 7, 10)


class LiveNftables:
    """Reads what is asked for, and keeps it."""

    def __init__(self, inside: Callable[[], AbstractContextManager[None]]) -> None:
        self._inside = inside
        self._reader: NftReader | None = None
        self._forget()

    def _forget(self) -> None:
        self._generation: int | None = None
        self._tables: tuple[NftTable, ...] | None = None
        self._bases: tuple[NftChain, ...] | None = None
        self._chains: dict[Key, NftChain] = {}
        self._sets: dict[Key, NftSet] = {}
        self._objects: dict[tuple[int, str], tuple[NftObject, ...]] = {}
        self._hooks: Section[RegisteredHook] = NOT_ASKED
        self._absent: Absent | None = None
        self._complete = False

    def close(self) -> None:
        """Let the socket go."""
        if self._reader is not None:
            self._reader.close()

    def changed(self) -> bool:
        """Whether the ruleset has changed since the first thing was read."""
        return self._generation is not None and self._wire().generation() != self._generation

    def reset(self) -> None:
        """Forget everything, to read it again."""
        self._forget()

    def _wire(self) -> NftReader:
        if self._reader is None:
            with self._inside():
                self._reader = NftReader()
        if self._generation is None:
            self._generation = self._reader.generation()
        return self._reader

    def _loaded(self) -> NftReader | Absent:
        if self._absent is not None:
            return self._absent
        try:
            return self._wire()
        except OSError as error:
            why = Why.NOT_PERMITTED if isinstance(error, PermissionError) else Why.NOT_LOADED
            self._absent = Absent(why=why, detail=str(error))
            return self._absent

    def tables(self) -> Section[NftTable]:
        """All tables."""
        wire = self._loaded()
        if isinstance(wire, Absent):
            return wire
        if self._tables is None:
            self._tables = wire.tables()
        return self._tables

    def base_chains(self) -> Section[NftChain]:
        """All base chains: through the kernel's list of hooks where it has one, which spares the others."""
        wire = self._loaded()
        if isinstance(wire, Absent):
            return wire
        if self._bases is None:
            self._bases = tuple(chain for chain in wire.chains() if chain.hook is not None)
            for chain in self._bases:
                self._chains.setdefault((chain.family, chain.table, chain.name), chain)
        return self._bases

    def chain(self, family: int, table: str, name: str) -> NftChain | Absent:
        """A chain with its rules."""
        wire = self._loaded()
        if isinstance(wire, Absent):
            return wire
        key = (family, table, name)
        known = self._chains.get(key)
        if known is None:
            known = wire.chain(family, table, name)
            if known is None:
                return Absent(why=Why.NOT_LOADED, detail=f"no chain {table} {name}")
        if isinstance(known.rules, Absent):
            known = replace(known, rules=wire.rules(family, table, name))
            self._chains[key] = known
        return known

    def set(self, family: int, table: str, name: str) -> NftSet | Absent:
        """The description of a set or map."""
        wire = self._loaded()
        if isinstance(wire, Absent):
            return wire
        key = (family, table, name)
        if key not in self._sets:
            found = wire.set(family, table, name)
            if found is None:
                return Absent(why=Why.NOT_LOADED, detail=f"no set {table} {name}")
            self._sets[key] = found
        return self._sets[key]

    def elements(self, family: int, table: str, name: str) -> Section[bytes]:
        """All elements of a set or map."""
        wire, found = self._loaded(), self.set(family, table, name)
        if isinstance(wire, Absent):
            return wire
        if isinstance(found, Absent):
            return found
        if isinstance(found.elements, Absent):
            found = replace(found, elements=wire.elements(family, table, name))
            self._sets[family, table, name] = found
        return found.elements

    def lookup(self, family: int, table: str, name: str, key: bytes) -> NftLookup | Absent:
        """What the kernel finds in a set for this key."""
        wire, found = self._loaded(), self.set(family, table, name)
        if isinstance(wire, Absent):
            return wire
        if isinstance(found, Absent):
            return found
        for known in found.lookups:
            if known.key == key:
                return known
        try:
            answer = wire.lookup(family, table, name, key)
        except OSError:
            elements = self.elements(family, table, name)
            if isinstance(elements, Absent):
                return elements
            try:
                return NftLookup(key=key, element=SetIndex(found.message, elements).find(key))
            except (NetlinkError, KeyError) as error:
                return Absent(why=Why.UNPARSABLE, detail=str(error))
        self._sets[family, table, name] = replace(found, lookups=(*found.lookups, answer))
        return answer

    def object(self, family: int, table: str, type: int, name: str) -> NftObject | Absent:  # noqa: A002 - the kernel's word
        """A named object."""
        wire = self._loaded()
        if isinstance(wire, Absent):
            return wire
        if (family, table) not in self._objects:
            self._objects[family, table] = wire.objects(family, table)
        for each in self._objects[family, table]:
            if (each.type, each.name) == (type, name):
                return each
        return Absent(why=Why.NOT_LOADED, detail=f"no object {table} {name}")

    def hooks(self) -> Section[RegisteredHook]:
        """The kernel's own list of hook functions."""
        wire = self._loaded()
        if isinstance(wire, Absent):
            return wire
        if isinstance(self._hooks, Absent) and self._hooks.why is Why.NOT_ASKED:
            self._hooks = wire.hooks()
        return self._hooks

    def read_everything(self) -> None:
        """The whole ruleset, of one generation."""
        wire = self._loaded()
        if isinstance(wire, Absent):
            return
        for _ in range(MOST_TRIES):
            self._forget()
            try:
                self._read_all(self._wire())
            except (InterruptedDumpError, OSError):
                continue
            if not self.changed():
                self._complete = True
                return
        self._forget()
        self._absent = Absent(why=Why.UNREADABLE, detail="the ruleset kept changing while it was read")

    def _read_all(self, wire: NftReader) -> None:
        self._tables = wire.tables()
        chains = wire.chains()
        self._bases = tuple(chain for chain in chains if chain.hook is not None)
        for chain in chains:
            rules = wire.rules(chain.family, chain.table, chain.name)
            self._chains[chain.family, chain.table, chain.name] = replace(chain, rules=rules)
        for table in self._tables:
            self._objects[table.family, table.name] = wire.objects(table.family, table.name)
            for each in wire.sets(table.family, table.name):
                elements = wire.elements(each.family, each.table, each.name)
                self._sets[each.family, each.table, each.name] = replace(each, elements=elements)
        self._hooks = wire.hooks()

    def narrowed(self) -> Nftables | Absent:
        """What was asked for."""
        if self._absent is not None:
            return self._absent
        if self._generation is None:
            return NOT_ASKED
        return Nftables(
            generation=self._generation,
            complete=self._complete,
            tables=self.tables_read(),
            chains=tuple(self._chains.values()),
            sets=tuple(self._sets.values()),
            objects=tuple(each for objects in self._objects.values() for each in objects),
            hooks=self._hooks,
        )

    def tables_read(self) -> tuple[NftTable, ...]:
        """The tables; they are always told, since they are few."""
        tables = self.tables()
        return () if isinstance(tables, Absent) else tables
