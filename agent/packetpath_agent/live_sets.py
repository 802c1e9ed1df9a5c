"""The ipsets of a live namespace: their names and numbers always, their members only where asked for."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from kubectl_packetpath.snapshot import NOT_ASKED
from kubectl_packetpath.snapshot.absent import Absent, Section, Why
from kubectl_packetpath.snapshot.ipsets import Ipset
from packetpath_agent.collectors.sets import IpsetReader
from packetpath_agent.reasons import attempted


class LiveSets:
    """Reads the list of sets once, and then the sets that are asked for."""

    def __init__(self, inside: Callable[[], AbstractContextManager[None]]) -> None:
        self._inside = inside
        self._reader: IpsetReader | None = None
        self._headers: Section[Ipset] = NOT_ASKED
        self._sets: dict[str, Ipset] = {}

    def close(self) -> None:
        """Let the socket go."""
        if self._reader is not None:
            self._reader.close()

    def _open(self) -> IpsetReader:
        if self._reader is None:
            with self._inside():
                self._reader = IpsetReader()
        return self._reader

    def _listed(self) -> Section[Ipset]:
        if self._headers is NOT_ASKED:
            self._headers = attempted(lambda: self._open().headers())
            listed = () if isinstance(self._headers, Absent) else self._headers
            self._sets = {each.name: each for each in listed}
        return self._headers

    def numbered(self, index: int) -> Ipset | Absent:
        """The set that rules refer to by this number."""
        listed = self._listed()
        if isinstance(listed, Absent):
            return listed
        for each in listed:
            if each.index == index:
                return self.named(each.name)
        return Absent(why=Why.NOT_LOADED, detail=f"there is no ipset {index}")

    def named(self, name: str) -> Ipset | Absent:
        """The set of this name, with its members."""
        listed = self._listed()
        if isinstance(listed, Absent):
            return listed
        known = self._sets.get(name)
        if known is None:
            return Absent(why=Why.NOT_LOADED, detail=f"there is no ipset {name}")
        if known.members == NOT_ASKED:
            known = replace(known, members=attempted(lambda: self._open().members(name)))
            self._sets[name] = known
        return known

    def read_everything(self) -> None:
        """All sets with all members."""
        listed = self._listed()
        for each in () if isinstance(listed, Absent) else listed:
            self.named(each.name)

    def narrowed(self) -> Section[Ipset]:
        """All sets, with the members of those that were asked for."""
        return self._headers if isinstance(self._headers, Absent) else tuple(self._sets.values())
