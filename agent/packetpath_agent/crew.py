"""Several sockets that read one big ruleset at the same time.

The kernel answers each of them on a CPU of its own, and Python waits without holding the others up: nearly all
of the time of a big ruleset is the kernel's.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self, TypeVar

from packetpath_agent.collectors.nftables import NftReader

T = TypeVar("T")
R = TypeVar("R")
MOST_READERS = 4
FEW = 256
"""Of so few things a second reader is not worth its start."""
PIECE = 64


class Crew:
    """Readers of one namespace, the first of which is at hand already."""

    def __init__(
        self, inside: Callable[[], AbstractContextManager[None]], first: NftReader, things: int
    ) -> None:
        self._inside = inside
        self._wanted = 1 if things <= FEW else min(MOST_READERS, len(os.sched_getaffinity(0)))
        self._readers = [first]

    def __enter__(self) -> Self:
        """Open the other sockets."""
        with self._inside():
            self._readers += [NftReader() for _ in range(self._wanted - 1)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them."""
        for reader in self._readers[1:]:
            reader.close()

    def each(
        self, things: Sequence[T], read: Callable[[NftReader, T], T], pack: Callable[[list[T]], R]
    ) -> Iterator[R]:
        """All things as they were read, packed some at a time, in their order; raises the first error."""
        idle = list(self._readers)

        def read_piece(start: int) -> R:
            reader = idle.pop()
            try:
                return pack([read(reader, thing) for thing in things[start : start + PIECE]])
            finally:
                idle.append(reader)

        starts = range(0, len(things), PIECE)
        if len(self._readers) == 1:
            yield from map(read_piece, starts)
            return
        with ThreadPoolExecutor(len(self._readers)) as pool:
            yield from pool.map(read_piece, starts)
