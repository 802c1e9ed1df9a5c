"""The connection table of a live namespace: the flows that were asked about, or all of it."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from kubectl_packetpath.snapshot import NOT_ASKED
from kubectl_packetpath.snapshot.absent import Absent, Section
from kubectl_packetpath.snapshot.conntrack import (
    Conntrack,
    CpuStatistics,
    FlowAnswer,
    FlowCount,
    FlowFilter,
    FlowKey,
)
from kubectl_packetpath.snapshot.flows import counted
from kubectl_packetpath.snapshot.nftables import RegisteredHook
from packetpath_agent.collectors.connections import ConnectionReader
from packetpath_agent.reasons import attempted

TRACKING = ("ipv4_conntrack_in", "ipv6_conntrack_in", "ipv4_conntrack_local", "ipv6_conntrack_local")
"""The functions that a namespace hangs into its hooks as soon as something there needs connections."""


class LiveConntrack:
    """Asks the kernel about one connection at a time, and keeps the answers."""

    def __init__(
        self,
        inside: Callable[[], AbstractContextManager[None]],
        hooks: Callable[[], Section[RegisteredHook]],
    ) -> None:
        self._inside, self._hooks = inside, hooks
        self._reader: ConnectionReader | None = None
        self._answers: dict[FlowKey, FlowAnswer] = {}
        self._fill: tuple[int, int] | Absent | None = None
        self._active = True
        self._entries: Section[bytes] = NOT_ASKED
        self._flows: list[FlowCount] = []
        self._statistics: tuple[CpuStatistics, ...] = ()

    def close(self) -> None:
        """Let the socket go."""
        if self._reader is not None:
            self._reader.close()

    def _open(self) -> ConnectionReader:
        if self._reader is None:
            with self._inside():
                self._reader = ConnectionReader()
        return self._reader

    def _filled(self) -> tuple[int, int] | Absent:
        if self._fill is None:
            self._fill = attempted(lambda: self._open().fill())
            hooks = self._hooks()
            if isinstance(hooks, tuple) and any(each.function for each in hooks):
                self._active = any(each.function.startswith(TRACKING) for each in hooks)
        return self._fill

    def active(self) -> bool:
        """Whether connections are tracked in this namespace; where the kernel lists no hooks: it may be."""
        return not isinstance(self._filled(), Absent) and self._active

    def find(self, flow: FlowKey) -> bytes | Absent | None:
        """The entry that holds this flow in either direction; None: there is none."""
        fill = self._filled()
        if isinstance(fill, Absent):
            return fill
        if flow not in self._answers:
            message = attempted(lambda: self._open().find(flow))
            if isinstance(message, Absent):
                return message
            self._answers[flow] = FlowAnswer(key=flow, message=message)
        return self._answers[flow].message

    def count(self, key: FlowFilter) -> None:
        """Where existing connections to one address and port go; kept with the rest."""
        if isinstance(self._filled(), Absent) or any(each.key == key for each in self._flows):
            return
        entries = attempted(lambda: self._open().entries_to(key))
        if not isinstance(entries, Absent):
            self._flows.append(counted(entries, key))

    def read_everything(self) -> None:
        """All connections and all counters."""
        if isinstance(self._filled(), Absent):
            return
        self._entries = attempted(lambda: self._open().entries())
        statistics = attempted(lambda: self._open().statistics())
        self._statistics = () if isinstance(statistics, Absent) else statistics

    def narrowed(self) -> Conntrack | Absent:
        """What was asked for."""
        if self._fill is None:
            return NOT_ASKED
        if isinstance(self._fill, Absent):
            return self._fill
        return Conntrack(
            active=self._active,
            entries=self._entries,
            answers=tuple(self._answers.values()),
            flows=tuple(self._flows),
            count=self._fill[0],
            maximum=self._fill[1],
            statistics=self._statistics,
        )
