"""Waiting for a condition, with a deadline and a message that says what did not come true."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
SHARED = 3
"""A slow machine is one among others on its processors, and may get a part of them only."""
PATIENCE = float(os.environ.get("PACKETPATH_PATIENCE", "1"))
"""How much later all deadlines are, and how much rarer all looks: slow machines, such as an emulated one, set it."""


class DeadlineError(Exception):
    """Something did not come true in time."""


def wait_until(
    what: str, look: Callable[[], T], *, timeout_seconds: float = 60, every_seconds: float = 0.1
) -> T:
    """Look again and again until the answer is true in Python's sense, and return it."""
    timeout_seconds *= PATIENCE * SHARED if PATIENCE > 1 else 1
    deadline = time.monotonic() + timeout_seconds
    while True:
        if seen := look():
            return seen
        if time.monotonic() > deadline:
            raise DeadlineError(f"Not within {timeout_seconds:.0f} s: {what}. Last seen: {seen!r}")
        time.sleep(every_seconds * PATIENCE)
