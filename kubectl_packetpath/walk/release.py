"""Which release of Linux a node runs, where its ways changed with one."""

import re

RELEASE = re.compile(r"(\d+)\.(\d+)")
POSTROUTING_KNOWS_INPUT = (5, 7)
"""Since then rules at POSTROUTING see the device by which a packet came in, or the tunnel that wrapped it (commit
28f8bfd1ac94)."""
SOURCE_CHOOSES_NEXT_HOP = (6, 16)
"""Since then IPv4 prefers the next hop from whose address a socket sends (commit 32607a332cfe)."""


def has(kernel: str, since: tuple[int, int]) -> bool:
    """Whether `6.1.0-56-amd64` is that release or a later one; what cannot be read is taken for a new one."""
    found = RELEASE.match(kernel)
    return found is None or (int(found[1]), int(found[2])) >= since
