"""The connections of IPVS in a live namespace, one client at a time, kept as they are asked for."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from kubectl_packetpath.snapshot import NOT_ASKED
from kubectl_packetpath.snapshot.absent import Absent, Section
from kubectl_packetpath.snapshot.ipvs import IpvsAnswer, IpvsTable
from kubectl_packetpath.snapshot.links import Address
from packetpath_agent.collectors import ipvs
from packetpath_agent.reasons import attempted


class LiveIpvs:
    """Asks the kernel for one client, and keeps the answers."""

    def __init__(self, inside: Callable[[], AbstractContextManager[None]]) -> None:
        self._inside = inside
        self._answers: dict[Address, Section[bytes]] = {}
        self._entries: Section[bytes] = NOT_ASKED

    def _read(self, client: Address | None) -> Section[bytes]:
        def entered() -> tuple[bytes, ...]:
            with self._inside():
                return ipvs.connections(client)

        return attempted(entered)

    def find(self, client: Address) -> Section[bytes]:
        """The lines of this client."""
        if client not in self._answers:
            self._answers[client] = self._read(client)
        return self._answers[client]

    def read_everything(self) -> None:
        """All connections."""
        self._entries = self._read(None)

    def narrowed(self) -> IpvsTable | Absent:
        """What was asked for."""
        told = tuple(
            IpvsAnswer(client=client, lines=lines)
            for client, lines in self._answers.items()
            if not isinstance(lines, Absent)
        )
        refused = [lines for lines in self._answers.values() if isinstance(lines, Absent)]
        if isinstance(self._entries, Absent) and not told:
            return refused[0] if refused else self._entries
        return IpvsTable(entries=self._entries, answers=told)
