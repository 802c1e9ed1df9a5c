"""The nftables part of a live namespace: one chain, set or element at a time, of one generation."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeVar, cast

from kubectl_packetpath.snapshot import NOT_ASKED
from kubectl_packetpath.snapshot.absent import Absent, Section, Why
from kubectl_packetpath.snapshot.codec import squeeze
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
from kubectl_packetpath.snapshot.squeeze import Squeezed
from packetpath_agent.collectors.nftables import NftReader
from packetpath_agent.crew import Crew
from packetpath_agent.reasons import attempted
from packetpath_agent.wire import MOST_TRIES

T = TypeVar("T")
Key = tuple[int, str, str]
CHANGING = Absent(why=Why.UNREADABLE, detail="the ruleset kept changing while it was read")


class LiveNftables:
    """Reads what is asked for, and keeps it: once packed, only to be told as a whole."""

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
        self._packed: tuple[tuple[Squeezed, ...], tuple[Squeezed, ...]] | None = None

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

    def _ask(self, read: Callable[[NftReader], T]) -> T | Absent:
        """What the kernel answers, or why it does not; that it has no nftables is remembered."""
        if self._absent is not None:
            return self._absent
        wire = attempted(self._wire)
        if isinstance(wire, Absent):
            self._absent = wire
            return wire
        return attempted(lambda: read(wire))

    def tables(self) -> Section[NftTable]:
        """All tables."""
        if self._tables is None:
            tables = self._ask(NftReader.tables)
            if isinstance(tables, Absent):
                return tables
            self._tables = tables
        return self._tables

    def base_chains(self) -> Section[NftChain]:
        """All base chains of all tables."""
        if self._bases is None:
            chains = self._ask(NftReader.chains)
            if isinstance(chains, Absent):
                return chains
            self._bases = tuple(chain for chain in chains if chain.hook is not None)
            for chain in self._bases:
                self._chains.setdefault((chain.family, chain.table, chain.name), chain)
        return self._bases

    def chain(self, family: int, table: str, name: str) -> NftChain | Absent:
        """A chain with its rules."""
        key = (family, table, name)
        known = self._chains.get(key)
        if known is None:
            found = self._ask(lambda wire: wire.chain(family, table, name))
            if isinstance(found, Absent):
                return found
            if found is None:
                return Absent(why=Why.NOT_LOADED, detail=f"no chain {table} {name}")
            known = found
        if isinstance(known.rules, Absent):
            rules = self._ask(lambda wire: wire.rules(family, table, name))
            if isinstance(rules, Absent):
                return rules
            known = replace(known, rules=rules)
            self._chains[key] = known
        return known

    def set(self, family: int, table: str, name: str) -> NftSet | Absent:
        """The description of a set or map."""
        key = (family, table, name)
        if key not in self._sets:
            found = self._ask(lambda wire: wire.set(family, table, name))
            if isinstance(found, Absent):
                return found
            if found is None:
                return Absent(why=Why.NOT_LOADED, detail=f"no set {table} {name}")
            self._sets[key] = found
        return self._sets[key]

    def elements(self, family: int, table: str, name: str) -> Section[bytes]:
        """All elements of a set or map."""
        found = self.set(family, table, name)
        if isinstance(found, Absent):
            return found
        if isinstance(found.elements, Absent):
            elements = self._ask(lambda wire: wire.elements(family, table, name))
            if isinstance(elements, Absent):
                return elements
            found = replace(found, elements=elements)
            self._sets[family, table, name] = found
        return found.elements

    def lookup(self, family: int, table: str, name: str, key: bytes) -> NftLookup | Absent:
        """What the kernel finds in a set for this key."""
        found = self.set(family, table, name)
        if isinstance(found, Absent):
            return found
        for known in found.lookups:
            if known.key == key:
                return known
        answer = self._ask(lambda wire: wire.lookup(family, table, name, key))
        if isinstance(answer, Absent):
            return self._looked_up(found, key)
        self._sets[family, table, name] = replace(found, lookups=(*found.lookups, answer))
        return answer

    def _looked_up(self, found: NftSet, key: bytes) -> NftLookup | Absent:
        """By our own lookup over all elements, for a kind of set that the kernel does not search for us."""
        elements = self.elements(found.family, found.table, found.name)
        if isinstance(elements, Absent):
            return elements
        return attempted(lambda: NftLookup(key=key, element=SetIndex(found.message, elements).find(key)))

    def object(self, family: int, table: str, type: int, name: str) -> NftObject | Absent:  # noqa: A002 - the kernel's word
        """A named object."""
        if (family, table) not in self._objects:
            objects = self._ask(lambda wire: wire.objects(family, table))
            if isinstance(objects, Absent):
                return objects
            self._objects[family, table] = objects
        for each in self._objects[family, table]:
            if (each.type, each.name) == (type, name):
                return each
        return Absent(why=Why.NOT_LOADED, detail=f"no object {table} {name}")

    def hooks(self) -> Section[RegisteredHook]:
        """The kernel's own list of hook functions."""
        if self._hooks is NOT_ASKED:
            self._hooks = self._ask(NftReader.hooks)
        return self._hooks

    def read_everything(self, *, packed: bool = False) -> None:
        """The whole ruleset, of one generation; or why there is none. Packed, it can only be recorded."""
        problem = CHANGING
        for _ in range(MOST_TRIES):
            self.reset()
            read = self._ask(self._pack_all if packed else self._read_all)
            if self._absent is not None:
                return
            if isinstance(read, Absent):
                problem = read
            elif not self.changed():
                self._complete = True
                return
        self.give_up(problem)

    def give_up(self, problem: Absent = CHANGING) -> None:
        """Tell why there is no ruleset, rather than parts of several."""
        self._forget()
        self._absent = problem

    def _read_all(self, wire: NftReader) -> None:
        chains, sets = self._listed(wire)
        with Crew(self._inside, wire, len(chains) + len(sets)) as crew:
            for found in crew.each(chains, _with_rules, list):
                self._chains |= {(chain.family, chain.table, chain.name): chain for chain in found}
            for filled in crew.each(sets, _with_elements, list):
                self._sets |= {(each.family, each.table, each.name): each for each in filled}

    def _pack_all(self, wire: NftReader) -> None:
        chains, sets = self._listed(wire)
        with Crew(self._inside, wire, len(chains) + len(sets)) as crew:
            self._packed = (
                tuple(crew.each(chains, _with_rules, squeeze)),
                tuple(crew.each(sets, _with_elements, squeeze)),
            )

    def _listed(self, wire: NftReader) -> tuple[tuple[NftChain, ...], list[NftSet]]:
        """What there is, with all that is small."""
        self._tables = wire.tables()
        self._hooks = wire.hooks()
        for table in self._tables:
            self._objects[table.family, table.name] = wire.objects(table.family, table.name)
        chains = wire.chains()
        self._bases = tuple(chain for chain in chains if chain.hook is not None)
        return chains, [each for table in self._tables for each in wire.sets(table.family, table.name)]

    def narrowed(self) -> Nftables | Absent:
        """What was asked for."""
        if self._absent is not None:
            return self._absent
        if self._generation is None:
            return NOT_ASKED
        tables, bases = self.tables(), self.base_chains()
        for section in (tables, bases):
            if isinstance(section, Absent):
                return section
        chains: object = tuple(self._chains.values())
        sets: object = tuple(self._sets.values())
        if self._packed is not None:
            chains, sets = self._packed
        return Nftables(
            generation=self._generation,
            complete=self._complete,
            tables=self._tables or (),
            chains=cast("tuple[NftChain, ...]", chains),
            sets=cast("tuple[NftSet, ...]", sets),
            objects=tuple(each for objects in self._objects.values() for each in objects),
            hooks=self._hooks,
        )


def _with_rules(wire: NftReader, chain: NftChain) -> NftChain:
    return replace(chain, rules=wire.rules(chain.family, chain.table, chain.name))


def _with_elements(wire: NftReader, each: NftSet) -> NftSet:
    return replace(each, elements=wire.all_of(each))
