"""The legacy tables of a live namespace: read as one blob each, told chain by chain."""

from collections.abc import Callable
from dataclasses import replace

from kubectl_packetpath.snapshot import NOT_ASKED
from kubectl_packetpath.snapshot.absent import Absent, Section, Why
from kubectl_packetpath.snapshot.xtables import LegacyChain, LegacyTable
from kubectl_packetpath.snapshot.xtables_blob import BlobError, cut_chain


class LiveLegacy:
    """Reads the tables once, and remembers which chains were asked for."""

    def __init__(self, read: Callable[[], Section[LegacyTable]]) -> None:
        self._read = read
        self._tables: Section[LegacyTable] = NOT_ASKED
        self._chains: dict[tuple[int, str, int], LegacyChain] = {}

    def tables(self) -> Section[LegacyTable]:
        """The loaded tables."""
        if self._tables is NOT_ASKED:
            self._tables = self._read()
        return self._tables

    def chain(self, family: int, table: str, offset: int) -> LegacyChain | Absent:
        """The chain whose first rule stands at this offset."""
        key = (family, table, offset)
        if key in self._chains:
            return self._chains[key]
        tables = self.tables()
        if isinstance(tables, Absent):
            return tables
        for each in tables:
            if (each.family, each.name) == (family, table) and each.blob is not None:
                try:
                    cut = cut_chain(family, each.blob, offset, each.hook_entry, each.underflow)
                except BlobError as error:
                    return Absent(why=Why.UNPARSABLE, detail=str(error))
                self._chains[key] = cut
                return cut
        return Absent(why=Why.NOT_LOADED, detail=f"no legacy table {table}")

    def narrowed(self, *, whole: bool) -> Section[LegacyTable]:
        """The tables with the chains that were asked for, or with all of their bytes."""
        if isinstance(self._tables, Absent) or whole:
            return self._tables
        return tuple(
            replace(table, blob=None, chains=self._asked_of(table.family, table.name))
            for table in self._tables
        )

    def _asked_of(self, family: int, table: str) -> tuple[LegacyChain, ...]:
        return tuple(chain for (of, name, _), chain in self._chains.items() if (of, name) == (family, table))
