"""What every fault has in common."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

Mend = Callable[[], object]


class Fault(Protocol):
    """Something that can be broken and mended."""

    def apply(self) -> Mend:
        """Break it; the answer mends it."""


@contextmanager
def fault(*faults: Fault) -> Iterator[None]:
    """Break things in this order, and mend them in reverse, whatever happens in between."""
    with ExitStack() as stack:
        for each in faults:
            stack.callback(each.apply())
        yield
