"""How far the reading of nodes has come, on standard error: for people at a terminal, and in slow runs."""

import sys
import time
from dataclasses import dataclass, field

SLOW_SECONDS = 1.0


def _is_terminal() -> bool:
    return sys.stderr.isatty()


@dataclass(slots=True, kw_only=True)
class Progress:
    """Says `reading 3 nodes… 2/3`; at a terminal on one line that goes away, elsewhere once a second at most."""

    terminal: bool = field(default_factory=_is_terminal)
    began: float = field(default_factory=time.monotonic)
    told: float = 0.0
    open: bool = False
    """A line stands on the terminal that has to go away."""

    def __call__(self, done: int, total: int) -> None:
        """So many of all have answered."""
        words = f"reading {total} {'node' if total == 1 else 'nodes'}… {done}/{total}"
        now = time.monotonic()
        if self.terminal and done == total:
            self.clear()
        elif self.terminal:
            sys.stderr.write(f"\r\x1b[K{words}")
            self.open = True
        elif now - max(self.began, self.told) >= SLOW_SECONDS:
            sys.stderr.write(f"{words}\n")
            self.told = now
        sys.stderr.flush()

    def clear(self) -> None:
        """Before anything else is printed."""
        if self.open:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self.open = False
